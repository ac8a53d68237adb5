"""Ways tried on rows held out in turn: each trained without them, all asked the same."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.progress import Progress, Silence
from luthier.core.seeds import derive
from luthier.data.feed.encode import encode
from luthier.evaluate.measure import chosen
from luthier.evaluate.predictions import FloatArray, Predictions
from luthier.fewshot.showing import Demonstrations
from luthier.fewshot.tuning.encoder import SPEED
from luthier.fewshot.tuning.options import OPTIONS
from luthier.fewshot.writing import Way
from luthier.models.network import Network
from luthier.recipe.model import Ia3
from luthier.stages import planning
from luthier.stages.fewshot.candidates import with_rows
from luthier.stages.fewshot.rival import put, taken
from luthier.stages.parts.answers import Exam, score_all, to_predictions
from luthier.stages.parts.generation import written
from luthier.stages.parts.keeping import untouched
from luthier.stages.training import Trained, train
from luthier.stages.workshop import Workshop, furnish
from luthier.stages.writing.shown import Shown, ShownTable

FOLDS = 3
WRITTEN = 32
"""Answers written for a fold, where the metric needs them."""


@dataclass
class Trial:
    """Ways on the training rows of a workshop; `metric` says how answers are measured."""

    shop: Workshop
    metric: str
    progress: Progress
    folds: list[NDArray[np.int64]] = field(init=False)
    """Table rows that are held out together."""
    units: NDArray[np.int64] = field(init=False)
    """Which unit, a row or a group, each held-out row belongs to, in the order of the folds."""

    def __post_init__(self) -> None:
        rows = np.sort(self.shop.encoded.rows[self.shop.part(self.shop.prepared.splits.train)])
        groups = self._groups(np.unique(rows))
        names = np.unique(groups)
        random = np.random.default_rng(derive(self.shop.recipe.train.seed, "writing folds"))
        place = dict(zip(names.tolist(), random.permutation(len(names)) % FOLDS, strict=True))
        fold = np.asarray([place[int(group)] for group in groups])
        rows = np.unique(rows)
        self.folds = [rows[fold == i] for i in range(min(FOLDS, len(names)))]
        inside = np.concatenate([groups[fold == i] for i in range(len(self.folds))])
        self.units = np.unique(inside, return_inverse=True)[1]

    def seconds(self, way: Way) -> float:
        """What training takes for all folds and at the end, from sizes alone."""
        if not way.trains:
            return 0.0
        shop = self.shop
        size = sum(p.numel() for p in shop.network.model.parameters())
        tokens = float(shop.encoded.lengths[shop.part(shop.prepared.splits.train)].sum())
        passes = 3.0 * shop.timing.epochs * (1.0 + OPTIONS if way.against else 1.0)
        speed = SPEED["cpu" if shop.device == "cpu" else "cuda"]
        return (len(self.folds) + 1) * passes * size * tokens / speed

    def sums(self, way: Way) -> FloatArray:
        """Statistics (U, K) of the metric by unit."""
        shop = own_shop(self.shop, way, self.progress)
        start, parts = taken(shop.network), []
        for held in self.folds:
            rest = np.setdiff1d(np.concatenate(self.folds), held)
            if way.trains:
                self._train(shop, way, rest)
            said = self._answers(shop, way, held, rest)
            (metric,) = chosen(said, [self.metric])
            statistics = metric.statistics(said)
            assert statistics is not None
            by_row = np.zeros((len(held), statistics.shape[1]))
            by_row[np.searchsorted(held, said.rows)] = statistics.toarray()
            parts.append(by_row)
            put(shop.network, start)
        found = np.zeros((int(self.units.max()) + 1, parts[0].shape[1]))
        np.add.at(found, self.units, np.concatenate(parts))
        return found

    def _train(self, shop: Workshop, way: Way, rows: NDArray[np.int64]) -> None:
        timing = planning.schedule(shop.recipe, len(rows))
        with tempfile.TemporaryDirectory() as place:
            short = replace(with_rows(shop, rows, Path(place)), timing=timing)
            if trained_by(short, way, Silence()).interrupted:
                raise KeyboardInterrupt

    def _answers(
        self, shop: Workshop, way: Way, held: NDArray[np.int64], rest: NDArray[np.int64]
    ) -> Predictions:
        """What the way says to the rows held out, in their order."""
        with ExitStack() as stack:
            network = shop.network
            if not way.trains:
                network = stack.enter_context(untouched(network, shop.base))
            exam = shop.exam(shop.encoded, shop.part(held))
            if way.shown:
                exam = shown_exam(shop, shown_rows(shop, rest), held)
            return self._measured(shop, network, exam)

    def _measured(self, shop: Workshop, network: Network, exam: Exam) -> Predictions:
        scores = score_all(network, shop.head, exam)
        said = to_predictions(shop.task, shop.head.labels, exam, scores)
        (metric,) = chosen(said, [self.metric])
        if metric.statistics(said) is not None:
            return said
        return written(shop, network, exam, scores, WRITTEN)

    def _groups(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        column = self.shop.prepared.table.column("group")
        values = [column[int(row)] for row in rows]
        both = zip(rows, values, strict=True)
        names = [f"row {row}" if value is None else f"group {value}" for row, value in both]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


def own_shop(shop: Workshop, way: Way, progress: Progress) -> Workshop:
    """The workshop in which a way is tried: its own adapter where it has one, and no fast path
    that its losses can't take."""
    if way.adapter:
        # Run again, the recipe that is kept has to mean the same: what it says is this way's own.
        recipe = shop.recipe.model_copy(
            update={
                "adapter": Ia3(),
                "train": shop.recipe.train.model_copy(update={"learning_rate": "auto"}),
                "fewshot": shop.recipe.fewshot.model_copy(update={"rungs": (way.name,)}),
            }
        )
        shop = furnish(recipe, shop.prepared, shop.folder, None, progress)
    if not way.against:
        return shop
    off = planning.Path(False, "answers are learnt against those of other rows")
    return replace(shop, legal=shop.legal | {"pack": off, "prefix_cache": off})


def trained_by(shop: Workshop, way: Way, progress: Progress, resume: bool = False) -> Trained:
    """The workshop's network, trained as the way does; its head is the plain one afterwards."""
    plain = shop.head
    shop.head = way.head(plain, shop.pad_id, shop.contract.max_tokens)
    try:
        return train(shop, progress, resume)
    finally:
        shop.head = plain


def shown_rows(shop: Workshop, rows: NDArray[np.int64]) -> Shown:
    """What stands before questions: these rows of the table."""
    said = [row["messages"] for row in shop.prepared.table.take([int(i) for i in rows])]
    spare = shop.recipe.evaluate.max_new_tokens
    return Shown(Demonstrations.of(said), shop.contract, spare)


def shown_exam(shop: Workshop, shown: Shown, rows: NDArray[np.int64]) -> Exam:
    """Rows of the table with their nearest ones before them."""
    table: Any = ShownTable(shop.prepared.table, shown)
    place = shop.recipe.data.train
    encoded = encode(table, shop.contract, shop.head.labels, place, [int(i) for i in rows])
    return Exam(encoded, np.arange(len(encoded)), table, shop.batch_plan())
