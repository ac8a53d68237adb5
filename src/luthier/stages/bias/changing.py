"""`repair:` in training: what a repair makes of rows, batches and losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.data.feed.batches import BatchSource, EpochBatches
from luthier.data.feed.encode import Encoded
from luthier.data.feed.example import encode_texts
from luthier.data.feed.ragged import Ragged
from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import read_terms
from luthier.explain.repair import Change, Concept, Repair, TrainingRows, Variant
from luthier.explain.repairs.build import repair_of
from luthier.stages.bias.correcting import corrections
from luthier.stages.bias.erasing import erase
from luthier.stages.parts.keeping import open_tuned
from luthier.stages.workshop import Workshop
from luthier.train.step import Objective

PLACE = "repair"
PARTNERED = 0.5
"""Share of a batch's rows that bring a partner; each costs as much as a row."""


@dataclass(frozen=True)
class Changed:
    """What training reads: examples to learn from, and partners that stand behind them."""

    repair: Repair | None
    encoded: Encoded
    examples: Ids
    partners: Ids
    groups: Ids | None = None
    concept: Concept | None = None

    @property
    def all(self) -> Ids:
        """Every example that is read."""
        return np.concatenate([self.examples, self.partners])

    def batches(self, plain: EpochBatches) -> BatchSource:
        """The batches with their partners."""
        if not len(self.partners):
            return plain
        return WithPartners(plain, self.encoded, self.examples, self.partners)

    def objective(self, inner: Objective) -> Objective:
        """The losses with what the repair adds."""
        return inner if self.repair is None else self.repair.objective(inner, self.groups)

    def settle(self, shop: Workshop, progress: Progress) -> None:
        """What the repair does once training is over.

        Raises: FreeDisk.
        """
        if self.concept is not None:
            erase(shop, self.concept, progress)


def changed(shop: Workshop, examples: Ids, progress: Progress) -> Changed:
    """What the recipe's `repair:` makes of the training; the plain one without it. With a parent,
    the network has its weights afterwards.

    Raises: FixRecipe for what does not go together; CheckRun for a parent that does not fit.
    """
    section = shop.recipe.repair
    none = np.zeros(0, np.int64)
    if section is None:
        return Changed(None, shop.encoded, examples, none)
    _refuse(shop)
    if section.parent is not None:
        start_from(shop, Path(section.parent), progress)
    assert isinstance(shop.encoded.targets, np.ndarray)
    labels = np.asarray(shop.encoded.targets[examples], np.int64)
    texts = [str(r["text"]) for r in shop.prepared.table.take(shop.encoded.rows[examples])]
    lexicon = read_terms(None if section.terms is None else Path(section.terms))
    repair = repair_of(section.kind, section.strength, _corrected(shop, texts))
    change = repair.change(TrainingRows(texts, labels), lexicon, shop.recipe.train.seed)
    encoded = shop.encoded
    if change.labels is not None:
        targets = shop.encoded.targets.copy()
        targets[examples] = change.labels
        encoded = replace(encoded, targets=targets)
    if change.weights is not None:
        weights = encoded.weights.copy()
        weights[examples] *= change.weights.astype(np.float32)
        encoded = replace(encoded, weights=weights)
    encoded, copies = _added(shop, encoded, examples, change.copies, 1.0)
    encoded, partners = _added(shop, encoded, examples, change.partners, 0.0)
    learnt = np.concatenate([examples, copies])
    groups = _groups(shop, examples, change)
    return Changed(repair, encoded, learnt, partners, groups, change.concept)


def _corrected(shop: Workshop, texts: Sequence[str]) -> dict[str, int]:
    section = shop.recipe.repair
    assert section is not None
    if section.labels is None:
        if section.kind == "labels":
            raise FixRecipe(
                "repair.labels", "there is no file of corrected labels", "a file of rows",
                "name the file that luthier label wrote",
            )  # fmt: skip
        return {}
    if section.kind != "labels":
        raise FixRecipe("repair.labels", f"repair.kind is {section.kind}", "with kind labels only")
    prepared = shop.prepared
    return corrections(Path(section.labels), prepared.mapping, prepared.facts.labels, texts)


def _refuse(shop: Workshop) -> None:
    safety = shop.recipe.safety
    if shop.task is not Task.CLASSIFY:
        raise FixRecipe(PLACE, f"the task is {shop.task.value}", "classify")
    if shop.recipe.tune is not None:
        raise FixRecipe(PLACE, "it is no part of a search", "one of repair and tune")
    if safety is not None and safety.privacy is not None:
        raise FixRecipe(PLACE, "it is not proved together with safety.privacy", "one of the two")
    if shop.network.in_parts:
        raise FixRecipe(PLACE, "the model is held in parts", advice="set fast.shard: off")


def start_from(shop: Workshop, parent: Path, progress: Progress) -> None:
    """Puts the trained weights of a finished run into the network.

    Raises: CheckRun when they are of another base, adapter or set of labels.
    """
    tuned = open_tuned(parent, progress)
    place = f"run {parent.name}"
    if tuned.base.hash != shop.base.hash:
        raise CheckRun(place, f"its base is {tuned.base.spec.id}", shop.base.spec.id)
    if tuned.contract.blind not in (None, shop.contract.blind):
        raise CheckRun(place, "it was trained to read masked words only", "a run that reads all")
    if tuned.head.labels.names != shop.head.labels.names:
        raise CheckRun(place, "its labels are others", ", ".join(shop.head.labels.names))
    theirs = dict(tuned.network.named_parameters())
    with torch.no_grad():
        for name, own in shop.network.named_parameters():
            if not own.requires_grad:
                continue
            if name not in theirs or theirs[name].shape != own.shape:
                raise CheckRun(place, "its adapter is another one", "the recipe's adapter")
            own.copy_(theirs[name])


def _added(
    shop: Workshop, encoded: Encoded, examples: Ids, variants: Sequence[Variant], weight: float
) -> tuple[Encoded, Ids]:
    """The examples with variants behind them, which keep row and label, and their numbers."""
    if not variants:
        return encoded, np.zeros(0, np.int64)
    source = examples[[v.row for v in variants]]
    found = encode_texts([v.text for v in variants], shop.contract, with_offsets=False)
    more = Ragged.pack((e.ids[0] for e in found), encoded.ids.values.dtype.str)
    ids = Ragged(
        np.concatenate([encoded.ids.values, more.values]),
        np.concatenate([encoded.ids.offsets, encoded.ids.offsets[-1] + more.offsets[1:]]),
    )
    assert isinstance(encoded.targets, np.ndarray)
    grown = replace(
        encoded,
        ids=ids,
        rows=np.concatenate([encoded.rows, encoded.rows[source]]),
        weights=np.concatenate([encoded.weights, weight * encoded.weights[source]]),
        targets=np.concatenate([encoded.targets, encoded.targets[source]]),
    )
    return grown, np.arange(len(encoded), len(grown))


def _groups(shop: Workshop, examples: Ids, change: Change) -> Ids | None:
    if change.groups is None:
        return None
    found = np.zeros(len(shop.prepared.table), np.int64)
    found[shop.encoded.rows[examples]] = change.groups
    return found


class WithPartners:
    """Batches in which some rows bring a partner of weight 0, drawn by step."""

    def __init__(self, plain: EpochBatches, encoded: Encoded, examples: Ids, partners: Ids) -> None:
        self._plain = plain
        self.steps_per_epoch = plain.steps_per_epoch
        self._example = {int(encoded.rows[e]): int(e) for e in examples}
        self._partners: dict[int, list[int]] = {}
        for partner in partners:
            self._partners.setdefault(int(encoded.rows[partner]), []).append(int(partner))

    def at(self, step: int) -> LogicalBatch:
        """The batch of update `step`, always the same one."""
        plain = self._plain.at(step)
        dice = np.random.default_rng(derive(self._plain.plan.seed, "partners", step))
        return replace(plain, micro=tuple(self._joined(micro, dice) for micro in plain.micro))

    def _joined(self, micro: Batch, dice: np.random.Generator) -> Batch:
        rows = [int(row) for row in micro.rows]
        have = [row for row in rows if row in self._partners]
        size = min(len(have), round(PARTNERED * len(rows)))
        drawn = [have[int(i)] for i in dice.permutation(len(have))[:size]]
        partners = [
            self._partners[row][int(dice.integers(len(self._partners[row])))] for row in drawn
        ]
        examples = [self._example[row] for row in rows]
        return self._plain.collate(np.asarray(examples + partners, np.int64))
