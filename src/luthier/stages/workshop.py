"""Everything a run works with, set up from a recipe and a data file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.errors import FixModel
from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.contract import PLAIN_TEMPLATE, PromptContract, make_contract
from luthier.data.feed.encode import Encoded, encode, nothing
from luthier.data.feed.masking import Masking
from luthier.models.adapter import Adapter
from luthier.models.base import Base, end_tokens, load_base
from luthier.models.build import assemble, base_spec, build_adapter, build_head
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.models.places import fetch, locate
from luthier.models.probe import best_precision
from luthier.recipe.recipe import Recipe
from luthier.screen.canonical import canonical
from luthier.stages import planning
from luthier.stages.bias.blinding import blind
from luthier.stages.combinations import check_harness, refuse_impossible, refuse_misfit
from luthier.stages.fewshot.settling import settle as settle_fewshot
from luthier.stages.forecast.result import Foreseen
from luthier.stages.forecast.result import token_findings as token_findings
from luthier.stages.forecast.rules import most_tokens
from luthier.stages.parts.answers import Exam
from luthier.stages.parts.losses import refuse_losses
from luthier.stages.parts.memory import set_up_advice
from luthier.stages.parts.privately import make_private
from luthier.stages.parts.shares import first_place, settle
from luthier.stages.prepare import Prepared, prepare
from luthier.stages.safety.attacking.synonyms import learn_synonyms
from luthier.stages.safety.outlook import outlook_notes
from luthier.stages.safety.spelling import learn_spelling
from luthier.stages.writing.shown import Shown
from luthier.store.artefacts import Artefacts


@dataclass
class Workshop:
    """What the stages hand on to each other."""

    recipe: Recipe
    prepared: Prepared
    base: Base
    network: Network
    adapter: Adapter
    head: Head
    contract: PromptContract
    encoded: Encoded
    legal: dict[str, planning.Path]
    timing: planning.Schedule
    costs: planning.Costs
    folder: Path
    notes: list[str] = field(default_factory=list)
    shown: Shown | None = None
    """What stands before each question that is answered; None: nothing."""

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.prepared.task

    @property
    def device(self) -> str:
        """Where the network lives."""
        return self.base.spec.device

    @property
    def pad_id(self) -> int:
        """The token that fills up short rows."""
        return pad_id(self.base)

    def part(self, table_rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Example numbers of the training or validation rows."""
        return self.encoded.among(table_rows)

    def batch_plan(self, packed: bool = False) -> BatchPlan:
        """How examples become batches under the plan."""
        return BatchPlan(
            batch_size=self.recipe.train.batch_size,
            seed=self.recipe.train.seed,
            pad_id=self.pad_id,
            micro_rows=self.costs.micro_rows,
            bucket=self.legal["bucket"].on,
            pack_tokens=self.contract.max_tokens if packed and self.legal["pack"].on else None,
        )

    def exam(self, encoded: Encoded, examples: NDArray[np.int64]) -> Exam:
        """Examples to be answered."""
        return Exam(encoded, examples, self.prepared.table, self.batch_plan())


def set_up(
    recipe: Recipe, base_folder: Path, folder: Path, artefacts: Artefacts | None, progress: Progress
) -> Workshop:
    """Reads the data, loads the base, attaches the adapter, encodes, and plans.

    Raises: every error of its parts; nothing has been trained then.
    """
    recipe, prepared = settle_fewshot(recipe, prepare(recipe, base_folder, folder, progress))
    refuse_impossible(recipe, prepared.task)
    return furnish(recipe, prepared, folder, artefacts, progress)


def furnish(
    recipe: Recipe,
    prepared: Prepared,
    folder: Path,
    artefacts: Artefacts | None,
    progress: Progress,
) -> Workshop:
    """Loads the base, attaches the adapter, encodes, and plans, for data that are read already.

    Raises: every error of its parts; nothing has been trained then.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = make_private(recipe, prepared)
    with set_up_advice("loading the base model", recipe.model):
        base = open_base(recipe, prepared.task, progress, first_place(recipe, device))
    refuse_misfit(recipe, prepared.task, base)
    prepared = replace(prepared, facts=replace(prepared.facts, masked=base.masked))
    check_harness(recipe.evaluate.harness, base)
    contract = open_contract(recipe, base, prepared.task)
    contract = learn_spelling(recipe, prepared, base, contract)
    contract = blind(recipe, learn_synonyms(recipe, prepared, base, contract, progress))
    adapter = build_adapter(recipe.adapter)
    head = build_head(prepared.task, prepared.facts, recipe.train)
    with set_up_advice("attaching the adapter", recipe.model):
        network = assemble(base, adapter, head, recipe.train.seed)
    legal = planning.paths(recipe, prepared.task, network, adapter)
    base = settle(base, network, device, legal["shard"].on)
    head = build_head(prepared.task, prepared.facts, recipe.train, legal["chunked_loss"].on)
    progress.start("tokenising", None, "rows")
    encoded = _tokens(recipe, prepared, contract, artefacts if legal["token_cache"].on else None)
    refuse_losses(encoded, recipe)
    train = encoded.among(prepared.splits.train)
    select = recipe.data.select
    rows = len(train) if select is None else select.count(len(train))
    resolved = planning.resolve(recipe, prepared.task, rows, network, adapter)
    timing = planning.schedule(resolved, rows)
    with set_up_advice("the first forward pass", recipe.model):
        costs = planning.estimate(network, encoded, train, resolved, timing.steps)
    return Workshop(
        resolved, prepared, base, network, adapter, head, contract, encoded, legal, timing, costs,
        folder,
    )  # fmt: skip


def open_base(recipe: Recipe, task: Task, progress: Progress, place: str | None = None) -> Base:
    """The base model of a recipe, in the precision this machine bears best; on its device, or at
    `place`."""
    progress.start("loading the base model", None, "")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = recipe.model.precision
    chosen: Any = best_precision(device, None) if precision == "auto" else precision
    return load_base(base_spec(recipe.model, task, chosen, place or device), task)


def open_contract(recipe: Recipe, base: Base, task: Task) -> PromptContract:
    """The prompt contract of a recipe for a base.

    Raises: FixModel for a template of another family, or `max_tokens` above the model's limit.
    """
    template = None
    if task.generates and not base.masked:
        template = base.tokenizer.chat_template or PLAIN_TEMPLATE
        if recipe.model.template_from is not None:
            template = _template_of(recipe.model.template_from)
    wanted = most_tokens(recipe, base.longest_input, base.spec.id)
    overlong = recipe.model.overlong
    contract = make_contract(base.tokenizer, template, end_tokens(base), wanted, overlong)
    adversarial = recipe.safety.adversarial if recipe.safety else None
    if adversarial is not None and adversarial.canonicalise and base.kind == "encoder":
        contract = replace(contract, canonical=canonical)
    if base.masked:
        words = int(base.config.vocab_size)
        masking = Masking.of(base.tokenizer, words, f"model {base.spec.id}")
        contract = replace(contract, masking=masking)
    return contract


def _template_of(place: str) -> str:
    """The chat template of another model.

    Raises: FixModel when there is no such model, or it has no template.
    """
    from transformers import AutoTokenizer

    where = f"model.template_from {place!r}"
    try:
        folder = locate(place)
        if not Path(folder).is_dir():
            folder = str(fetch(place, None, weights=False))
        other = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise FixModel(
            where,
            f"there is no tokenizer that can be read: {str(error).strip().splitlines()[0]}",
            "a model folder or hub id with a tokenizer.json",
        ) from error
    if not isinstance(other.chat_template, str):
        raise FixModel(
            where, "it has no chat template", "a model with one", "leave model.template_from out"
        )
    return other.chat_template


def pad_id(base: Base) -> int:
    """The padding token; masks tell it apart even where it equals the end token."""
    for token in (base.tokenizer.pad_token_id, base.tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def _tokens(
    recipe: Recipe, prepared: Prepared, contract: PromptContract, artefacts: Artefacts | None
) -> Encoded:
    splits = prepared.splits
    indices = np.concatenate([splits.train, splits.validation])
    place = recipe.data.train
    if not len(indices):
        return nothing(prepared.task)

    def fresh() -> Encoded:
        labels = prepared.facts.labels
        return encode(prepared.table, contract, labels, place, [int(i) for i in indices])

    if artefacts is None:
        return fresh()
    key = hash_value(
        {
            "stage": "tokens 2",
            "data": prepared.fingerprint,
            "files": list(prepared.table.files),
            "recipe": recipe.data.model_dump(mode="json"),
            "task": prepared.task.value,
            "contract": contract.hash,
            "labels": list(prepared.facts.labels.names),
        }
    )
    shelf = artefacts.shelf(key)
    if shelf is None:
        import tempfile

        encoded = fresh()
        with tempfile.TemporaryDirectory() as temporary:
            made = Path(temporary) / "tokens"
            made.mkdir()
            encoded.save(made)
            shelf = artefacts.shelve(key, made)
    return Encoded.load(shelf)


def plan_of(shop: Workshop) -> planning.PlanResult:
    """The plan as people and programs read it."""
    return Foreseen(
        recipe=shop.recipe,
        prepared=shop.prepared,
        contract=shop.contract,
        encoded=shop.encoded,
        legal=shop.legal,
        timing=shop.timing,
        costs=shop.costs,
        base=shop.base.spec.id,
        held=f"weights in {shop.base.spec.precision} on {shop.device}",
        notes=(*shop.notes, *_outlook(shop)),
    ).result()


def _outlook(shop: Workshop) -> tuple[str, ...]:
    numbers = sum(p.numel() for p in shop.network.parameters() if p.requires_grad)
    return outlook_notes(shop.recipe, shop.prepared, shop.timing.steps, numbers)
