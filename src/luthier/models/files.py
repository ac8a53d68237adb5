"""Checks of a model folder before anything in it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from luthier.core.errors import FixModel

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


def check_weights(folder: Path) -> None:
    """Refuses a folder whose weights are missing, pickled, truncated or corrupt.

    Raises: FixModel naming the file and what is wrong with it.
    """
    if not (folder / "config.json").is_file():
        raise FixModel(str(folder), "there is no config.json", "a Hugging Face model folder")
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FixModel(
                str(index), "this is no index of weights", advice="copy it again"
            ) from error
        missing = sorted(wanted - {f.name for f in files})
        if missing:
            raise FixModel(str(index), f"{', '.join(missing)} is missing", advice="copy it again")
    if not files:
        refuse_pickles(str(folder), [p.name for p in folder.iterdir()])
        raise FixModel(str(folder), "there are no weights", "*.safetensors files")
    for file in files:
        check_safetensors(file)


def refuse_pickles(place: str, names: list[str]) -> None:
    """Refuses weights that are pickled, going by the names of files.

    Raises: FixModel naming them.
    """
    pickled = sorted(name for name in names if Path(name).suffix in PICKLES)
    if pickled:
        raise FixModel(
            place,
            f"the weights are pickled ({', '.join(pickled)}); loading them could run any code",
            "safetensors files",
            "choose a safetensors revision, or convert them with `luthier models convert`",
        )


def check_safetensors(file: Path) -> None:
    """Refuses a file that is not a whole safetensors file.

    Reads the header only: its length, its JSON, and that the last tensor ends where the file does.

    Raises: FixModel naming the file and what is wrong with it.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        if start[:2] in (b"PK", b"\x80\x02", b"\x80\x04"):
            raise FixModel(
                str(file),
                "this is a pickle under a safetensors name; loading it could run any code",
                "a safetensors file",
                "choose a safetensors revision, or name it .bin and convert it with "
                "`luthier models convert`",
            )
        length = int.from_bytes(start, "little") if len(start) == 8 else -1
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise FixModel(str(file), "the header is damaged", advice="copy the file again")
        try:
            header = json.loads(stream.read(length))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FixModel(
                str(file), "the header is damaged", advice="copy the file again"
            ) from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise FixModel(
            str(file),
            f"it has {size} bytes and its header promises {expected}; it is cut off or damaged",
            advice="copy the file again",
        )
