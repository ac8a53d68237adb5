"""`luthier attack --certify`: how many exchanged words provably cannot change a voted answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.safety.certificate import Vote, certify
from luthier.safety.outcome import proportion
from luthier.stages.safety.attacking.attack import Asked, target_of, victim_of
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord

FILE = "certificate.json"


def certificate(
    record: RunRecord, asked: Asked, draws: int, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """Certified accuracy by the number of exchanged words, JSON-ready; kept in the run's folder.

    Raises: CheckRun for a run that is no finished classifier;
    FixData for a file without usable rows.
    """
    tuned, texts, truths = target_of(record, asked, base_folder, progress)
    # Any fixed text certifies; one the model knows as a gap loses least.
    mask = tuned.base.tokenizer.mask_token or "_"
    victim, vote = victim_of(tuned), Vote(str(mask), draws)
    progress.start("certificates", len(texts), "rows")
    found = []
    for text, truth in zip(texts, truths, strict=True):
        dice = np.random.default_rng(derive(asked.seed, "certificate", text))
        made = certify(victim, text, vote, dice)
        found.append(made.radius if made.answer == truth else -1)
        progress.advance(1)
    told = {
        "run": record.id,
        "rows": len(texts),
        "mask": str(mask),
        "draws": draws,
        "kept": vote.share,
        "level": vote.level,
        "certified": {str(r): _share(found, r) for r in range(max(0, *found, 0) + 1)},
    }
    write_json(record.path / FILE, told)
    Manifest.write(record.path)
    return told


def _share(found: list[int], radius: int) -> dict[str, float]:
    return proportion(sum(one >= radius for one in found), len(found)).told()
