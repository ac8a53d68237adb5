"""A tuned model on disk, and the way back from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from luthier.core.errors import CheckRun
from luthier.core.files import new_folder, write_json, write_text
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.contract import PromptContract
from luthier.data.mapping import Mapping
from luthier.fewshot import keeping as ladder
from luthier.fewshot.head import LadderHead, words_of
from luthier.fewshot.showing import load as load_shown
from luthier.models.base import Base
from luthier.models.build import assemble, build_adapter, build_head
from luthier.models.files import check_safetensors
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.models.quantized import dequantized
from luthier.recipe.load import dump_recipe, recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages.bias.blinding import load_blinding, save_blinding
from luthier.stages.fewshot.worded import wording_of
from luthier.stages.prepare import load_facts, save_facts
from luthier.stages.safety.attacking.synonyms import load_synonyms, save_synonyms
from luthier.stages.safety.spelling import load_spelling, save_spelling
from luthier.stages.workshop import Workshop, open_base, open_contract
from luthier.stages.writing.shown import Shown
from luthier.train.sharded import gather, shard, state_of
from luthier.train.world import World


@dataclass(frozen=True)
class Tuned:
    """A tuned model ready to answer."""

    recipe: Recipe
    task: Task
    base: Base
    network: Network
    head: Head
    contract: PromptContract
    mapping: Mapping
    shown: Shown | None = None
    """What stands before each question that is answered; None: nothing."""


def keep(shop: Workshop) -> None:
    """Writes the model: PEFT-format adapter or whole weights, output layer, facts and contract.

    Where processes hold it in parts, all have to call this, and the first writes.

    Raises: FreeDisk; nothing half-written is left.
    """
    network, world = shop.network, World.join()
    if not network.in_parts:
        _write(shop, None, state_of(network.output) if network.output else {})
        return
    adapted = hasattr(network.model, "peft_config")
    wanted = {n: t for n, t in state_of(network.model).items() if t.requires_grad or not adapted}
    tensors = gather(wanted if adapted or shop.recipe.adapter.kind == "full" else {}, world)
    output = gather(state_of(network.output) if network.output else {}, world)
    world.write(shop.folder / "model", lambda: _write(shop, tensors, output))


def keep_recipe(folder: Path, shop: Workshop) -> None:
    """Writes the recipe as people write it and as programs read it.

    Raises: FreeDisk when there is no room.
    """
    write_text(folder / "recipe.yaml", dump_recipe(shop.recipe))
    write_json(folder / "recipe.json", shop.recipe.model_dump(mode="json"))


def _write(
    shop: Workshop, tensors: dict[str, torch.Tensor] | None, output: dict[str, torch.Tensor]
) -> None:
    """`tensors` are the model's or the adapter's, None for those in memory; `output` the new
    output layer's."""
    model: Any = shop.network.model
    with new_folder(shop.folder / "model") as place:
        if hasattr(model, "peft_config"):
            # Words are never added to a base; without this PEFT asks the hub whether they were.
            model.save_pretrained(
                str(place / "adapter"),
                safe_serialization=True,
                state_dict=tensors,
                save_embedding_layers=False,
            )
        elif shop.recipe.adapter.kind == "full":
            model.save_pretrained(
                str(place / "weights"), safe_serialization=True, state_dict=tensors
            )
            shop.base.tokenizer.save_pretrained(str(place / "weights"))
        if isinstance(shop.head, LadderHead):
            ladder.save(shop.head.fitted, place)
        if shop.shown is not None:
            shop.shown.rows.save(place)
        if output:
            kept = {n: t.detach().contiguous().cpu() for n, t in output.items()}
            save_file(kept, str(place / "head.safetensors"))
        save_facts(shop.prepared.facts, place / "facts.json")
        write_json(place / "columns.json", shop.prepared.mapping.as_dict())
        write_json(place / "contract.json", shop.contract.as_dict())
        save_spelling(shop.contract, place)
        save_synonyms(shop.contract, place)
        save_blinding(shop.contract, place)
        write_json(place / "base.json", {"id": shop.base.spec.id, "hash": shop.base.hash})


def open_tuned(folder: Path, progress: Progress, whole: bool = False) -> Tuned:
    """The tuned model of a finished run; `whole` turns a base in few bits into full numbers.

    Raises: CheckRun when the run has no model; FixModel when base or tokenizer have changed.
    """
    place = folder / "model"
    if not place.is_dir():
        raise CheckRun(
            f"run {folder.name}", "it has no model yet", advice=f"luthier runs resume {folder.name}"
        )
    recipe = recipe_from_dict(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    assert recipe.task != "auto"
    base = open_base(recipe, recipe.task, progress)
    known = json.loads((place / "base.json").read_text(encoding="utf-8"))
    if known["hash"] != base.hash:
        raise CheckRun(
            f"run {folder.name}",
            f"the base model {base.spec.id} is not the one it was trained on",
            advice="restore the model files of that time or set model.revision",
        )
    if whole:
        base = dequantized(base)
    facts = load_facts(place / "facts.json")
    head = build_head(recipe.task, facts, recipe.train)
    if ladder.saved(place):
        read = words_of(base.tokenizer)
        said = wording_of(base, facts.labels, open_contract(recipe, base, recipe.task))
        head = LadderHead(facts.labels, ladder.load(place), read, said)
    network = assemble(base, build_adapter(recipe.adapter), head, recipe.train.seed)
    _fill(network, place, recipe)
    contract = load_spelling(recipe, base, open_contract(recipe, base, recipe.task), place)
    contract = load_synonyms(recipe, contract, place)
    contract = load_blinding(recipe, contract, place)
    contract.check(
        json.loads((place / "contract.json").read_text(encoding="utf-8")), f"run {folder.name}"
    )
    network.mode(False, False)
    mapping = Mapping.from_dict(json.loads((place / "columns.json").read_text(encoding="utf-8")))
    rows = load_shown(place)
    spare = recipe.evaluate.max_new_tokens
    shown = None if rows is None else Shown(rows, contract, spare)
    return Tuned(recipe, recipe.task, base, network, head, contract, mapping, shown)


def _fill(network: Network, place: Path, recipe: Recipe) -> None:
    if (place / "adapter").is_dir():
        from peft import set_peft_model_state_dict

        file = place / "adapter" / "adapter_model.safetensors"
        check_safetensors(file)
        set_peft_model_state_dict(network.model, load_file(str(file)))  # type: ignore[no-untyped-call]
    elif recipe.adapter.kind == "full":
        tensors: dict[str, torch.Tensor] = {}
        for file in sorted((place / "weights").glob("*.safetensors")):
            check_safetensors(file)
            tensors |= load_file(str(file))
        network.model.load_state_dict(tensors, strict=False)
    if network.output is not None:
        check_safetensors(place / "head.safetensors")
        network.output.load_state_dict(load_file(str(place / "head.safetensors")))


@contextmanager
def untouched(network: Network, base: Base) -> Iterator[Network]:
    """The same network with the base as it was before training.

    Adapters are switched off; after full fine-tuning the base is loaded once more.
    """
    inner: Any = network.model
    if hasattr(inner, "disable_adapter"):
        with inner.disable_adapter():
            yield network
    elif any(p.requires_grad for p in inner.parameters()):
        from luthier.models.base import load_base

        tasks = {"causal": Task.INSTRUCT, "masked": Task.ADAPT}
        spec = replace(base.spec, device="cpu") if network.in_parts else base.spec
        again = load_base(spec, tasks.get(base.kind, Task.CLASSIFY))
        if not network.in_parts:
            yield Network(again.network, network.output, network.pooling, network.kind)
            return
        # The output layer belongs to the tuned network's parts and is not asked for here.
        plain = Network(again.network, None, network.pooling, network.kind)
        shard(plain, World.join())
        yield plain
    else:
        yield network
