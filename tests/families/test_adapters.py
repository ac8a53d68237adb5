"""Every adapter passes the same table: what it trains, how it is kept, and how others open it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.data.mapping import Mapping
from luthier.models.adapter import lowest_trained
from luthier.models.adapters.folding import folded
from luthier.models.build import build_adapter
from luthier.recipe.load import recipe_from_dict
from luthier.stages.parts.answers import score_all
from tiny import Bench, Quiet, furthest, make_bench, same_bits

TABLE: dict[str, dict[str, Any]] = {
    "lora": {"kind": "lora", "rank": 4},
    "lora, top layer": {"kind": "lora", "rank": 4, "top_layers": 1},
    "lora, some targets": {"kind": "lora", "rank": 4, "targets": ["query", "q_proj"]},
    "rslora": {"kind": "lora", "rank": 4, "rank_stabilised": True},
    "dora": {"kind": "lora", "rank": 4, "decomposed": True},
    "ia3": {"kind": "ia3"},
    "ia3, top layer": {"kind": "ia3", "top_layers": 1},
    "full": {"kind": "full"},
    "full, top layer": {"kind": "full", "top_layers": 1},
    "none": {"kind": "none"},
}
LEARN = {"classify": Task.CLASSIFY, "instruct": Task.INSTRUCT}
CASES = [(n, t) for n in TABLE for t in LEARN if (n, t) != ("none", "instruct")]


def _section(name: str, task: str) -> dict[str, Any]:
    section = dict(TABLE[name])
    if "targets" in section:
        section["targets"] = ["query"] if task == "classify" else ["q_proj"]
    return section


def _recipe(name: str, task: str, folder: Path) -> Any:
    return recipe_from_dict(
        {
            "task": task,
            "data": {"train": "rows.jsonl"},
            "model": {"id": str(folder), "precision": "float32", "max_tokens": 96},
            "adapter": _section(name, task),
        }
    )


def _bench(name: str, task: str, folder: Path) -> tuple[Bench, Any]:
    recipe = _recipe(name, task, folder)
    return make_bench(folder, LEARN[task], build_adapter(recipe.adapter)), recipe


def _whole(bench: Bench) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in bench.network.named_parameters()}


def _layer(name: str) -> int | None:
    parts = name.split(".")
    number = next((i for i, p in enumerate(parts) if p in ("layer", "layers")), None)
    return None if number is None else int(parts[number + 1])


def _may_move(name: str, parameter: str) -> bool:
    section = TABLE[name]
    if parameter.startswith("output."):
        return True
    if section["kind"] == "none":
        return False
    inside = _layer(parameter)
    if section.get("top_layers") and inside != 2:
        return False
    if section["kind"] == "full":
        return True
    if "targets" in section and not (".query." in parameter or ".q_proj." in parameter):
        return False
    return "lora_" in parameter or "ia3_" in parameter


@pytest.mark.parametrize(("name", "task"), CASES)
def test_moves_what_it_says_and_nothing_else(name: str, task: str, bert: Path, llama: Path) -> None:
    bench, _ = _bench(name, task, bert if task == "classify" else llama)
    before = _whole(bench)
    state = bench.train(4, bench.batches())
    after = _whole(bench)
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert moved == set(state.trainable), "what is trained is what moves"
    assert all(_may_move(name, n) for n in moved)
    expected = {n for n in before if _may_move(name, n)}
    assert moved == expected
    top = TABLE[name].get("top_layers")
    assert lowest_trained(bench.adapter, bench.network.stack) == (
        2 if top or TABLE[name]["kind"] == "none" else 0
    )


def _keep(bench: Bench, recipe: Any, folder: Path) -> Path:
    from luthier.stages.parts.keeping import keep

    folder.mkdir(exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps(recipe.model_dump(mode="json")))
    shop = SimpleNamespace(
        folder=folder,
        network=bench.network,
        recipe=recipe,
        base=bench.base,
        shown=None,
        prepared=SimpleNamespace(facts=bench.facts, mapping=Mapping(Task.CLASSIFY, ("text",))),
        head=bench.head,
        contract=bench.contract,
    )
    keep(shop)  # type: ignore[arg-type]
    return folder / "model"


@pytest.mark.parametrize(("name", "task"), CASES)
def test_kept_and_opened_again(
    name: str, task: str, bert: Path, llama: Path, tmp_path: Path
) -> None:
    from luthier.stages.parts.keeping import open_tuned

    bench, recipe = _bench(name, task, bert if task == "classify" else llama)
    untouched = np.stack(score_all(bench.network, bench.head, bench.exam()))
    bench.train(4, bench.batches())
    before = np.stack(score_all(bench.network, bench.head, bench.exam()))
    assert np.abs(before - untouched).max() > 1e-4, "an untrained model would prove nothing"
    _keep(bench, recipe, tmp_path / "run")
    tuned = open_tuned(tmp_path / "run", Quiet())
    after = np.stack(score_all(tuned.network, tuned.head, bench.exam()))
    np.testing.assert_array_equal(before, after)
    assert tuned.contract.hash == bench.contract.hash
    assert tuned.head.labels == bench.head.labels


@pytest.mark.parametrize(("name", "task"), CASES)
def test_folded_it_answers_alike_and_comes_back_to_the_bit(
    name: str, task: str, bert: Path, llama: Path
) -> None:
    bench, _ = _bench(name, task, bert if task == "classify" else llama)
    bench.train(4, bench.batches())
    bits = _whole(bench)
    before = np.stack(score_all(bench.network, bench.head, bench.exam()))
    with folded(bench.network) as done:
        inside = np.stack(score_all(bench.network, bench.head, bench.exam()))
        moved = not same_bits(bits, _whole(bench))
    assert done == moved == name.startswith(("lora", "rslora"))
    np.testing.assert_allclose(inside, before, atol=1e-5)
    assert same_bits(bits, _whole(bench))
    np.testing.assert_array_equal(
        np.stack(score_all(bench.network, bench.head, bench.exam())), before
    )


def test_weights_in_few_bits_are_not_folded(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    bench.network.bfloat16()
    with folded(bench.network) as done:
        assert not done


PEFT = [(n, t) for n, t in CASES if TABLE[n]["kind"] in ("lora", "ia3")]


@pytest.mark.parametrize(("name", "task"), PEFT)
def test_peft_opens_it_and_a_merge_agrees(
    name: str, task: str, bert: Path, llama: Path, tmp_path: Path
) -> None:
    folder = bert if task == "classify" else llama
    bench, recipe = _bench(name, task, folder)
    bench.train(4, bench.batches())
    place = _keep(bench, recipe, tmp_path / "run")
    loader = AutoModel if task == "classify" else AutoModelForCausalLM
    theirs = PeftModel.from_pretrained(loader.from_pretrained(str(folder)), place / "adapter")
    theirs.eval()
    bench.network.mode(False, False)
    batch = bench.batches().collate(bench.all[:6])
    given = {"input_ids": batch.ids, "attention_mask": batch.mask}
    with torch.no_grad():
        ours = bench.network.plain(**given)[0]
        torch.testing.assert_close(theirs(**given)[0], ours, atol=1e-6, rtol=1e-6)
        merged = theirs.merge_and_unload()
        torch.testing.assert_close(merged(**given)[0], ours, atol=1e-4, rtol=1e-4)
    assert not any("lora_" in n or "ia3_" in n for n, _ in merged.named_parameters())
    assert (merged(**given)[0] - loader.from_pretrained(str(folder))(**given)[0]).abs().max() > 1e-4


@pytest.mark.parametrize(("name", "task"), PEFT)
def test_switched_off_the_base_is_untouched(name: str, task: str, bert: Path, llama: Path) -> None:
    from luthier.stages.parts.keeping import untouched

    bench, _ = _bench(name, task, bert if task == "classify" else llama)
    batch = bench.batches().collate(bench.all[:6])
    bench.network.mode(False, False)
    before = bench.network.hidden(batch).detach()
    bench.train(4, bench.batches())
    bench.network.mode(False, False)
    with torch.no_grad():
        with untouched(bench.network, bench.base) as network:
            torch.testing.assert_close(network.hidden(batch), before, atol=1e-6, rtol=1e-6)
        assert (bench.network.hidden(batch) - before).abs().max() > 1e-4


def test_full_fine_tuning_compares_with_a_fresh_base(bert: Path) -> None:
    from luthier.stages.parts.keeping import untouched

    bench, _ = _bench("full", "classify", bert)
    batch = bench.batches().collate(bench.all[:6])
    bench.network.mode(False, False)
    before = bench.network.hidden(batch).detach()
    bench.train(3, bench.batches())
    with untouched(bench.network, bench.base) as network, torch.no_grad():
        torch.testing.assert_close(network.hidden(batch), before, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["lora", "rslora"])
def test_the_scale_is_the_published_one(name: str, bert: Path) -> None:
    bench, _ = _bench(name, "classify", bert)
    layer = next(m for n, m in bench.network.named_modules() if n.endswith("attention.self.query"))
    assert isinstance(layer, nn.Module)
    wanted = 32.0 / 4 if name == "lora" else 32.0 / 2
    assert layer.scaling["default"] == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["lora", "ia3", "full"])
def test_more_layers_than_there_are(kind: str, bert: Path) -> None:
    recipe = recipe_from_dict({"data": {"train": "x"}, "adapter": {"kind": kind, "top_layers": 9}})
    with pytest.raises(FixRecipe, match=r"top_layers.*9.*at most 3"):
        make_bench(bert, Task.CLASSIFY, build_adapter(recipe.adapter))


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_an_unknown_target_names_the_nearest(kind: str, bert: Path) -> None:
    recipe = recipe_from_dict(
        {"data": {"train": "x"}, "adapter": {"kind": kind, "targets": ["qurey"]}}
    )
    with pytest.raises(FixRecipe, match=r"'qurey'.*did you mean 'query'"):
        make_bench(bert, Task.CLASSIFY, build_adapter(recipe.adapter))


def test_the_first_values_depend_on_the_seed_alone(bert: Path) -> None:
    first = make_bench(bert, Task.CLASSIFY, seed=3).begin()[1].snapshot()
    torch.rand(5)
    again = make_bench(bert, Task.CLASSIFY, seed=3).begin()[1].snapshot()
    other = make_bench(bert, Task.CLASSIFY, seed=4).begin()[1].snapshot()
    assert furthest(first, again) == 0.0
    assert furthest(first, other) > 1e-3
