"""Model folders that are broken, unsafe or incomplete are refused by the file's name."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from luthier.core.errors import FixModel
from luthier.core.types import Task
from luthier.models.base import BaseSpec, load_base
from tiny import llama_config, save_model


class _Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (Path.touch, (self.mark,))


@pytest.fixture
def folder(bert: Path, tmp_path: Path) -> Path:
    """A copy of a good model folder."""
    return Path(shutil.copytree(bert, tmp_path / "model"))


def _refused(folder: Path, task: Task = Task.CLASSIFY) -> str:
    with pytest.raises(FixModel) as caught:
        load_base(BaseSpec(str(folder)), task)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_a_good_folder_opens(folder: Path) -> None:
    assert load_base(BaseSpec(str(folder)), Task.CLASSIFY).width == 32


@pytest.mark.parametrize("kept", [0, 5, 8, 300, -1, -4])
def test_truncated(folder: Path, kept: int) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:kept])
    assert "model.safetensors" in _refused(folder)


def test_bytes_too_many(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"1234")
    assert "cut off or damaged" in _refused(folder)


@pytest.mark.parametrize("damage", [b"{", b"\xff" * 8, b"[]", b'{"a": 1}'])
def test_damaged_header(folder: Path, damage: bytes) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(len(damage).to_bytes(8, "little") + damage)
    message = _refused(folder)
    assert "model.safetensors" in message and "the header is damaged" in message


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_under_a_safe_name_is_never_run(
    folder: Path, tmp_path: Path, protocol: int
) -> None:
    mark = tmp_path / "executed"
    (folder / "model.safetensors").write_bytes(pickle.dumps(_Trap(mark), protocol=protocol))
    assert "model.safetensors" in _refused(folder)
    assert not mark.exists()


def test_a_saved_module_under_a_safe_name(folder: Path) -> None:
    torch.save({"a": torch.zeros(2)}, folder / "model.safetensors")
    message = _refused(folder)
    assert "model.safetensors" in message and "pickle" in message


def test_only_pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(2)}, folder / "pytorch_model.bin")
    message = _refused(folder)
    assert "pytorch_model.bin" in message and "safetensors" in message


def test_no_weights_at_all(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "there are no weights" in _refused(folder)


def test_a_missing_shard(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(tensors, folder / "model-00001-of-00002.safetensors")
    places = dict.fromkeys(tensors, "model-00001-of-00002.safetensors")
    places["encoder.layer.2.output.dense.weight"] = "model-00002-of-00002.safetensors"
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    message = _refused(folder)
    assert "model-00002-of-00002.safetensors is missing" in message


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": 3}'])
def test_a_damaged_index(folder: Path, content: str) -> None:
    (folder / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in _refused(folder)


def test_a_missing_tensor_is_not_made_up(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "encoder.layer.1.output.dense.weight" in _refused(folder)


def test_a_missing_pooler_does_not_matter(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {n: t for n, t in tensors.items() if "pooler" not in n}
    assert len(kept) < len(tensors)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_base(BaseSpec(str(folder)), Task.CLASSIFY).width == 32


def test_tied_output_layer_is_not_missing(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "tied", llama_config(tie_word_embeddings=True), causal=True)
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert load_base(BaseSpec(str(folder)), Task.INSTRUCT).kind == "causal"


def test_missing_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "there is no config.json" in _refused(folder)


def test_damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert str(folder) in _refused(folder)


def test_weights_of_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    assert str(folder) in _refused(folder)


def test_the_models_at_hand_have_no_gaps(embedded_encoder: Path, stories: Path) -> None:
    assert load_base(BaseSpec(str(embedded_encoder)), Task.CLASSIFY).kind == "encoder"
    assert load_base(BaseSpec(str(stories)), Task.INSTRUCT).kind == "causal"


def test_missing_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert str(folder) in _refused(folder)


def test_no_such_folder(tmp_path: Path) -> None:
    assert "there is no such folder" in _refused(tmp_path / "nowhere")


def test_an_encoder_cannot_write(bert: Path) -> None:
    assert "cannot write text" in _refused(bert, Task.INSTRUCT)


def test_code_of_others_is_never_run(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own_thing",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    mark = tmp_path / "executed"
    (folder / "own.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    _refused(folder)
    assert not mark.exists()


def test_another_base_has_another_hash(folder: Path, bert: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layer.1.output.dense.bias"] += 1e-3
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    one, other = (load_base(BaseSpec(str(f)), Task.CLASSIFY).hash for f in (bert, folder))
    assert one != other
