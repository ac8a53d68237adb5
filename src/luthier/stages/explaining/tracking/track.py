"""`evaluate.track`: a watcher that explains the same few rows again and again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.core.files import write_json
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.explain.attribution import Attribution, Passage, Question
from luthier.explain.attributions.build import member_of
from luthier.explain.bias.rates import interval_of, weights_of
from luthier.explain.change.association import Association, associations
from luthier.explain.change.shortcut import Shortcut, confirmed, effects
from luthier.explain.change.weight import shares, shifts
from luthier.explain.subject import Subject
from luthier.models.adapter import lowest_trained
from luthier.stages.explaining.change.rows import Read, at, holding, learnt
from luthier.stages.explaining.tracking.looks import steps_of, work_of
from luthier.stages.workshop import Workshop
from luthier.train.state import TrainingState
from luthier.train.watcher import Report
from luthier.train.watchers.checkpoint import INTERRUPTED

FILE = "track.json"
PLACE = "evaluate.track"
METHOD = "integrated-late"
EACH = 8
"""Rows that hold a word, for each word that is taken out."""
DRAWS = 500


@dataclass
class TrackExplanations:
    """Weighs the words of the probe rows, and takes out the words of `words`, at planned updates.

    What was seen is written into `file` at each look, so that a training that goes on after a
    stop compares with its own beginning.
    """

    shop: Workshop
    questions: list[Question]
    rows: list[int]
    words: tuple[Association, ...]
    held: list[Passage]
    steps: tuple[int, ...]
    file: Path
    looks: list[dict[str, Any]] = field(default_factory=list)
    _shortcuts: list[Shortcut] = field(default_factory=list)

    def begin(self, state: TrainingState) -> None:
        """The first look, or what earlier ones saw."""
        if state.step == 0:
            self._look(state)
        elif self.file.is_file():
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            self.looks = [one for one in kept["looks"] if one["step"] <= state.step]

    def after(self, state: TrainingState, report: Report) -> None:
        """Looks when it is time."""
        if state.step in self.steps:
            self._look(state)

    def end(self, state: TrainingState) -> None:
        """The last look of a training that stopped early by itself."""
        stopped = state.stopped and state.stopped != INTERRUPTED
        if stopped and self.steps and self.looks[-1]["step"] != state.step:
            self._look(state)

    def told(self) -> dict[str, Any]:
        """Everything that was seen, JSON-ready."""
        labels = self.shop.head.labels.names
        return {
            "rows": self.rows,
            "method": METHOD,
            "steps": list(self.steps),
            "words": [
                {"word": one.word, "label": labels[one.label], "rows": one.rows,
                 "share": one.share, "base": one.base, "z": one.z}
                for one in self.words
            ],
            "looks": self.looks,
            "shortcuts": [one.told(labels) for one in self._shortcuts],
        }  # fmt: skip

    def _look(self, state: TrainingState) -> None:
        if not self.steps or not state.world.first:
            return
        network = state.network
        network.mode(False, False)
        subject = Subject.of(network, self.shop.head, self.shop.base.tokenizer, self.shop.pad_id)
        found = member_of(METHOD, subject.writes).explain(subject, self.questions)
        seen: dict[str, Any] = {
            "step": state.step, "shares": [shares(one).round(5).tolist() for one in found],
        }  # fmt: skip
        if self.looks:
            seen["moved"] = _moved(self.looks[0]["shares"], found)
            seen["since"] = _moved(self.looks[-1]["shares"], found)
        removals = effects(subject, self.words, self.held, self.shop.recipe.train.seed)
        self._shortcuts = confirmed(self.words, [None] * len(self.words), removals)
        seen["effects"] = [
            {"apart": one.finding.value, "low": one.finding.low, "high": one.finding.high,
             "effect": one.effect, "turned": one.turned}
            for one in self._shortcuts
        ]  # fmt: skip
        self.looks.append(seen)
        write_json(self.file, self.told())


def _moved(before: Sequence[Sequence[float]], found: Sequence[Attribution]) -> dict[str, float]:
    """How much of the attribution moved since, with an interval over rows."""
    old = [Attribution("kept", np.asarray(one), True) for one in before]
    each = shifts(old, found)
    return interval_of(weights_of(len(each), DRAWS, 0) @ each / len(each)).told()


def tracker_of(shop: Workshop) -> TrackExplanations | None:
    """The watcher a recipe asks for; one without looks where the training is too small for it.

    Raises: FixRecipe where the model is held in parts or there are too few validation rows.
    """
    section = shop.recipe.evaluate.track
    if section is None:
        return None
    if shop.network.in_parts:
        raise FixRecipe(PLACE, "the model is held in parts", advice="set fast.shard: off")
    seed, validation = shop.recipe.train.seed, shop.prepared.splits.validation
    dice = np.random.default_rng(derive(seed, "tracked rows"))
    chosen = np.sort(dice.permutation(validation)[: section.rows])
    read = [(int(row), at(shop, shop.prepared, np.asarray([row]))) for row in chosen]
    kept = [(row, one.passages[0], one.truth[0]) for row, one in read if one.passages]
    if len(kept) < 2:
        raise FixRecipe(
            PLACE, f"{len(kept)} validation rows can be explained", "two or more",
            "hold more rows out with data.split.validation, or leave it out",
        )  # fmt: skip
    words: tuple[Association, ...] = ()
    held = Read([], [])
    if shop.task is Task.CLASSIFY and section.words:
        data = learnt(shop, shop.prepared)
        words = associations(data.texts, data.labels).found[: section.words]
        named = [one.word for one in words]
        held = holding(shop, shop.prepared, named, EACH, validation, seed)
    return TrackExplanations(
        shop,
        [Question(passage, truth or 0) for _, passage, truth in kept],
        [int(shop.prepared.table.source_row(row)) for row, _, _ in kept],
        words,
        held.passages,
        _steps(shop, len(kept), 3 * EACH * len(words)),
        shop.folder / FILE,
    )


def _steps(shop: Workshop, rows: int, texts: int) -> tuple[int, ...]:
    section = shop.recipe.evaluate.track
    assert section is not None
    layers = shop.network.stack.layers
    trained = layers - lowest_trained(shop.adapter, shop.network.stack)
    run = trained if shop.legal["prefix_cache"].on else layers
    steps = shop.timing.steps
    work = work_of(steps, shop.recipe.train.batch_size, (layers, run, trained), rows, texts)
    return steps_of(steps, work, section.looks, section.share)
