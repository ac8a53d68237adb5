"""One model out of base and adapter, in a folder that transformers opens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from luthier.core.errors import CheckRun
from luthier.core.files import new_folder
from luthier.core.progress import Progress
from luthier.stages.parts.keeping import Tuned, open_tuned

BESIDE = (
    "head.safetensors", "facts.json", "contract.json", "columns.json", "ladder.safetensors",
    "ladder.json",
)  # fmt: skip
"""What is kept with the weights: the output layer or what stands in its place, its labels, and how
rows are read."""


def merge(folder: Path, out: Path, progress: Progress) -> Path:
    """Writes base and adapter of a finished run as one model into the new folder `out`.

    The numbers of an adapter are far finer than the steps of a 4-bit or 8-bit base, which would
    swallow them. So such a base is first turned back into its number format.

    Raises: CheckRun when `out` is in use or there is no model; FreeDisk.
    """
    if out.exists():
        raise CheckRun(str(out), "it is there already", "a folder that does not exist yet")
    tuned = open_tuned(folder, progress, whole=True)
    progress.start("merging", None, "")
    model = merged(tuned)
    with new_folder(out) as place:
        model.save_pretrained(str(place), safe_serialization=True)
        tuned.base.tokenizer.save_pretrained(str(place))
        for name in BESIDE:
            if (folder / "model" / name).is_file():
                shutil.copyfile(folder / "model" / name, place / name)
    return out


def merged(tuned: Tuned) -> Any:
    """The transformers model with the adapter's update in its weights; `tuned` is used up.

    Raises: CheckRun for a base in few bits, or an adapter with values that are no numbers.
    """
    if tuned.base.spec.quantize != "none":
        raise CheckRun(
            f"a base held in {tuned.base.spec.quantize}",
            "an adapter merged into it would be rounded away",
            "a base in full numbers",
            "open the run with whole=True",
        )
    model: Any = tuned.network.model
    if not hasattr(model, "merge_and_unload"):
        return model
    try:
        with torch.no_grad():
            return model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise CheckRun("the adapter", str(error), advice="train again") from error
