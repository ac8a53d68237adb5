"""A stranger's model folder with pickled weights, made into one that may be loaded."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import FixModel
from luthier.core.files import new_folder, write_json
from luthier.core.progress import Progress
from luthier.models.files import PICKLES, check_safetensors
from luthier.safety.loading.archives import unpack
from luthier.safety.loading.pickles import convert

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
PLAIN = (".json", ".txt", ".model", ".jinja", ".md", ".tiktoken", ".yaml", ".yml")
"""Files that hold data and are copied; licences have no ending and are copied too."""
OWN_NAMES = {"pytorch_model": "model"}
"""What the weights of a folder are called as safetensors; other names stay."""
REST = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
"""Pickles that hold the state of a training and no weights."""


@dataclass(frozen=True)
class Converted:
    """`files` are pairs of a pickle and what became of it, `copied` names, `left` names with the
    reason for which they stayed behind."""

    out: Path
    files: tuple[tuple[str, str], ...]
    copied: tuple[str, ...]
    left: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "out": str(self.out),
            "converted": [{"from": one, "to": other} for one, other in self.files],
            "copied": list(self.copied),
            "left_out": dict(self.left),
        }


def convert_model(source: Path, out: Path, progress: Progress) -> Converted:
    """Makes the new folder `out` from a model folder, an archive of one, or a single file.

    Each pickle is read in a child process that may run no code of it. Program files are left
    behind. `out` appears whole or not at all, and the source stays as it is.

    Raises: FixModel for a source without pickled weights, a pickle that holds more than tensors,
    an archive that is not safe to open, or an `out` that exists.
    """
    if not source.exists():
        raise FixModel(str(source), "there is no such file or folder")
    if out.exists():
        raise FixModel(str(out), "it is there already", "a folder that does not exist yet")
    with _opened(source) as folder, new_folder(out) as place:
        names = sorted(p.name for p in folder.iterdir())
        pickled = [n for n in names if Path(n).suffix in PICKLES and not n.startswith(REST)]
        if not pickled:
            raise FixModel(str(source), "there are no pickled weights in it",
                           f"files that end in {', '.join(PICKLES)}")  # fmt: skip
        progress.start("converting weights", len(pickled), "files")
        files = []
        for name in pickled:
            target = place / _safe_name(name)
            convert(folder / name, target, _called(source, name))
            files.append((name, target.name))
            progress.advance()
        left = {n: why for n in names if n not in pickled and (why := _why_left(folder / n))}
        copied = [n for n in names if n not in pickled and n not in left]
        for name in copied:
            _take(folder / name, place)
        return Converted(out, tuple(files), tuple(copied), left)


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """The folder of the weights: the source itself, one with a single file, or an archive's."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="luthier-") as temporary:
        inside = Path(temporary) / "inside"
        if source.suffix in ARCHIVES:
            unpack(source, inside)
            parts = list(inside.iterdir())
            yield parts[0] if len(parts) == 1 and parts[0].is_dir() else inside
            return
        inside.mkdir()
        (inside / source.name).symlink_to(source.resolve())
        yield inside


def _called(source: Path, name: str) -> str:
    """A file as its user knows it: an archive was opened in a folder that nobody has seen."""
    if source.is_dir():
        return str(source / name)
    return str(source) if name == source.name else f"{source}: {name}"


def _safe_name(name: str) -> str:
    """
    >>> _safe_name("pytorch_model-00001-of-00002.bin"), _safe_name("adapter_model.bin")
    ('model-00001-of-00002.safetensors', 'adapter_model.safetensors')
    """
    stem = Path(name).stem
    for own, safe in OWN_NAMES.items():
        if stem.startswith(own):
            stem = safe + stem.removeprefix(own)
    return f"{stem}.safetensors"


def _why_left(file: Path) -> str:
    """Why a file stays behind, empty for one that is copied."""
    if file.is_symlink() and not file.exists():
        return "a link to nothing"
    if file.is_dir():
        return "a folder"
    if file.suffix == ".safetensors":
        return ""
    if file.suffix in PICKLES:
        return "the state of a training, no weights"
    if file.suffix in (".py", ".pyc", ".so"):
        return "a program; code of a model is never run"
    if file.suffix in PLAIN or file.name.upper().startswith(("LICENSE", "NOTICE")):
        return ""
    return "neither weights nor a file that a model is loaded from"


def _take(file: Path, place: Path) -> None:
    """Copies a file; an index of shards gets their new names.

    Raises: FixModel for damaged safetensors or an index that is none.
    """
    if file.suffix == ".safetensors":
        check_safetensors(file)
    if not file.name.endswith(".bin.index.json"):
        shutil.copyfile(file, place / file.name)
        return
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        index["weight_map"] = {k: _safe_name(v) for k, v in index["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FixModel(str(file), "this is no index of weights", advice="copy it again") from error
    missing = sorted({v for v in index["weight_map"].values() if not (place / v).is_file()})
    if missing:
        raise FixModel(str(file), f"it names weights that are missing: {', '.join(missing)}",
                       advice="copy them too")  # fmt: skip
    name = _safe_name(file.name.removesuffix(".index.json"))
    write_json(place / f"{name}.index.json", index)
