"""What workers of a Ray cluster run in tests; imported in their processes by name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from luthier.core.errors import FixData, LowerLearningRate
from luthier.search.executors.local import Advance
from luthier.search.trial import Observation, Slice


def counting(folder: str) -> Advance:
    """Advances by noting in `folder` how far a trial is and which process did it."""
    place = Path(folder)
    (place / f"ready-{os.getpid()}").touch()

    def advance(piece: Slice) -> Observation:
        if piece.config.get("rate") == "inf":
            raise LowerLearningRate("loss", "it is not finite")
        if piece.config.get("rate") == "wrong":
            raise FixData("train.csv, row 3", "it has no label", "a, b", "give it one")
        state = place / f"{piece.trial}.json"
        steps = json.loads(state.read_text()) if state.is_file() else []
        (place / f"began-{piece.trial}-{piece.until}").write_text(str(os.getpid()))
        while (place / "hold").exists():
            time.sleep(0.02)
        steps.append([piece.until, os.getpid()])
        state.write_text(json.dumps(steps))
        return Observation(piece.until, 0.5 + piece.until / 100, 1.0, 1.0, float(piece.until))

    return advance


def refusing() -> Advance:
    """Cannot be set up."""
    raise FixData("train.csv", "there is no such file")
