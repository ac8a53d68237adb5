"""Fitted classifiers on disk: arrays as safetensors, everything else as JSON, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.files import write_json
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.blend import Adjusted, Blend
from luthier.fewshot.forms.centred import Centred
from luthier.fewshot.forms.layer import Layer
from luthier.fewshot.forms.lexical import Lexical
from luthier.fewshot.forms.worded import Worded
from luthier.fewshot.rung import Fitted, Reader

PLAIN: Mapping[str, Reader] = {
    "centred": Centred.read,
    "layer": Layer.read,
    "lexical": Lexical.read,
    "worded": Worded.read,
}
ARRAYS, ABOUT = "ladder.safetensors", "ladder.json"


def save(fitted: Fitted, folder: Path) -> None:
    """Writes a classifier into `folder` in float32.

    Raises: FreeDisk when there is no room.
    """
    from safetensors.numpy import save_file

    arrays = {n: np.ascontiguousarray(a, np.float32) for n, a in fitted.arrays().items()}
    save_file(arrays, str(folder / ARRAYS))
    write_json(folder / ABOUT, dict(fitted.about()))


def saved(folder: Path) -> bool:
    """Whether `folder` holds a classifier."""
    return (folder / ABOUT).is_file()


def load(folder: Path) -> Fitted:
    """What `save` wrote.

    Raises: CheckRun when the files are missing or do not fit each other.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return revive(about, load_file(str(folder / ARRAYS)))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckRun(
            str(folder), "the few-shot classifier cannot be read", advice="run the recipe again"
        ) from error


def bare(fitted: Fitted) -> Fitted:
    """The classifier as it will be read back: to be asked with the vectors of its own encoder."""
    return revive(fitted.about(), fitted.arrays())


def revive(about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Fitted:
    """A classifier from what its `about` and `arrays` gave.

    Raises: KeyError for an unknown kind or a missing array.
    """
    if about["form"] in PLAIN:
        return PLAIN[about["form"]](about, arrays)
    members = [revive(m, _below(arrays, place)) for place, m in enumerate(about["members"])]
    if about["form"] == "blend":
        return Blend(members, about["how"], arrays["weights"])
    if about["form"] != "adjusted":
        raise KeyError(about["form"])
    return Adjusted(members[0], float(about["temperature"]), arrays["shift"])


def _below(arrays: Mapping[str, FloatArray], place: int) -> dict[str, FloatArray]:
    start = f"{place}/"
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
