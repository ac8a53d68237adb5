"""A monitor on disk: one JSON file for its state, one npz file for its reference."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.files import write_bytes, write_json
from luthier.safety.monitor.drift import Drift, Reference

STATE, REFERENCE = "monitor.json", "reference.npz"


def keep(folder: Path, reference: Reference, drift: Drift) -> None:
    """Writes both, each whole or not at all; the reference is written once.

    Raises: FreeDisk.
    """
    if not (folder / REFERENCE).is_file():
        buffer = io.BytesIO()
        np.savez(buffer, weights=reference.weights, phases=reference.phases, held=reference.held)
        write_bytes(folder / REFERENCE, buffer.getvalue())
    write_json(folder / STATE, {"version": 1, "drift": drift.state()})


def reopen(folder: Path) -> tuple[Reference, Drift]:
    """The monitor as it was kept last.

    Raises: CheckRun when there is none or it is damaged.
    """
    try:
        stored = io.BytesIO((folder / REFERENCE).read_bytes())
        with np.load(stored, allow_pickle=False) as arrays:
            reference = Reference(arrays["weights"], arrays["phases"], arrays["held"])
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return reference, Drift.resume(reference, state["drift"])
    except CheckRun:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckRun(
            str(folder), f"there is no whole monitor here ({type(error).__name__})",
            advice="make a new reference",
        ) from error  # fmt: skip
