"""Pickled weights from elsewhere: converted without running them, or refused whole."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from safetensors.torch import load_file

from luthier.core.errors import FixModel
from luthier.core.progress import Silence
from luthier.models.files import check_weights
from luthier.stages.safety.loading.converting import convert_model


def _pickled(bert: Path, folder: Path, shards: int = 1) -> Path:
    """The tiny model with its weights pickled, in one file or in two with an index."""
    shutil.copytree(bert, folder)
    weights = load_file(str(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    if shards == 1:
        torch.save(weights, folder / "pytorch_model.bin")
        return folder
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    halves = [dict(list(weights.items())[i::2]) for i in (0, 1)]
    for name, half in zip(names, halves, strict=True):
        torch.save(half, folder / name)
    placed = {k: n for n, half in zip(names, halves, strict=True) for k in half}
    index = {"metadata": {}, "weight_map": placed}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("shards", [1, 2])
def test_every_tensor_arrives_and_the_folder_can_be_loaded(
    shards: int, bert: Path, tmp_path: Path
) -> None:
    source = _pickled(bert, tmp_path / "from", shards)
    with pytest.raises(FixModel, match="luthier models convert"):
        check_weights(source)
    found = convert_model(source, tmp_path / "to", Silence())
    check_weights(found.out)
    parts = [load_file(str(f)) for f in sorted(found.out.glob("*.safetensors"))]
    got = {k: v for part in parts for k, v in part.items()}
    wanted = load_file(str(bert / "model.safetensors"))
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[k], wanted[k]) for k in wanted)
    assert "config.json" in found.copied and (found.out / "config.json").is_file()


def test_an_archive_is_opened_and_programs_stay_behind(bert: Path, tmp_path: Path) -> None:
    source = _pickled(bert, tmp_path / "model")
    (source / "modeling.py").write_text("print('hello')")
    torch.save({"step": 3}, source / "training_args.bin")
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for file in source.iterdir():
            made.write(file, f"model/{file.name}")
    found = convert_model(archive, tmp_path / "to", Silence())
    assert set(found.left) == {"modeling.py", "training_args.bin"}
    assert not (found.out / "modeling.py").exists()
    assert [to for _, to in found.files] == ["model.safetensors"]


def test_a_single_file_is_enough(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "adapter_model.bin")
    found = convert_model(tmp_path / "adapter_model.bin", tmp_path / "to", Silence())
    assert torch.equal(load_file(str(found.out / "adapter_model.safetensors"))["a"], torch.ones(2))


class _Runs:
    """A pickle that writes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._mark), "w")


def test_a_pickle_that_would_run_code_is_refused_and_nothing_is_left(
    bert: Path, tmp_path: Path
) -> None:
    source = _pickled(bert, tmp_path / "from")
    (source / "pytorch_model.bin").write_bytes(pickle.dumps({"a": _Runs(tmp_path / "ran")}))
    with pytest.raises(FixModel, match="would run code"):
        convert_model(source, tmp_path / "to", Silence())
    assert not (tmp_path / "ran").exists() and not (tmp_path / "to").exists()


def test_a_damaged_file_is_named_as_its_user_knows_it(bert: Path, tmp_path: Path) -> None:
    source = _pickled(bert, tmp_path / "from")
    file = source / "pytorch_model.bin"
    file.write_bytes(b"not a pickle at all")
    packed = tmp_path / "packed.zip"
    with ZipFile(packed, "w") as archive:
        for part in source.iterdir():
            archive.write(part, part.name)
    known = {source: str(file), file: str(file), packed: f"{packed}: {file.name}"}
    for given, called in known.items():
        with pytest.raises(FixModel, match="no file of pickled weights") as caught:
            convert_model(given, tmp_path / "to", Silence())
        assert str(caught.value).startswith(f"{called}: ")
    assert not (tmp_path / "to").exists()


def test_what_cannot_be_converted_is_said(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(FixModel, match="no pickled weights"):
        convert_model(bert, tmp_path / "to", Silence())
    with pytest.raises(FixModel, match="no such"):
        convert_model(tmp_path / "nowhere", tmp_path / "to", Silence())
    source = _pickled(bert, tmp_path / "from", 2)
    (source / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(FixModel, match="missing"):
        convert_model(source, tmp_path / "to", Silence())
    assert not (tmp_path / "to").exists()
    (tmp_path / "there").mkdir()
    with pytest.raises(FixModel, match="already"):
        convert_model(source, tmp_path / "there", Silence())
