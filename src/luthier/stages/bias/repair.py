"""`luthier repair`: trainings with a change, and a gate that lets one through or none."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe, nearest
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.explain.bias.acceptance import Condition, Limits, of_seeds
from luthier.explain.bias.terms import Lexicon, read_terms
from luthier.recipe.recipe import Recipe
from luthier.recipe.repair import Repair
from luthier.stages import planning
from luthier.stages.bias.asked import choices, prepared_again, rows_at
from luthier.stages.bias.evidence import Exam, answer, compared
from luthier.stages.bias.reading import Reader
from luthier.stages.bias.show import show_repair
from luthier.stages.bias.words import decision_of
from luthier.stages.combinations import selection_metric
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.prepare import Prepared
from luthier.stages.training import train
from luthier.stages.workshop import furnish
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord, Store

FILE = "repair.json"
LADDER = ("pair", "augment", "reweigh", "robust", "erase")
BY_HAND = "labels"
"""Comes first where corrected labels are given."""
CONTROLS = ("blind", "none")
BLIND = "a control: it masks the very words it would be judged by, so it is measured and not taken"
SEEDS = 3
STRENGTHS = {"pair": 0.03}
"""Where no strength is asked for: pairs at 0.3 and 0.1 cost rare classes more than bias needs."""
SHARE, RATE = 0.1, 0.3
"""Of the parent's updates and learning rate: a repair goes on from its weights."""


def ladder(corrected: bool) -> tuple[str, ...]:
    """What is tried in turn, with corrected labels or without."""
    return (BY_HAND, *LADDER) if corrected else LADDER


@dataclass(frozen=True)
class Asked:
    """Which repairs are tried in turn, how strongly, and what the gate asks."""

    kinds: tuple[str, ...] = LADDER
    strength: float | None = None
    """How much a change counts; None takes what each kind has."""
    terms: Path | None = None
    labels: Path | None = None
    """Rows whose labels a person put right; for `labels` only."""
    positive: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    carriers: int = 80
    seed: int = 0


@dataclass(frozen=True)
class _Bench:
    """What every trial of a repair shares."""

    record: RunRecord
    tuned: Tuned
    prepared: Prepared
    lexicon: Lexicon
    asked: Asked
    folder: Path
    store: Store
    progress: Progress

    @property
    def rows(self) -> int:
        """How many rows are trained on."""
        return len(self.prepared.splits.train)

    def exam(self, part: str) -> Exam:
        """The exam of the validation or of the sealed test rows."""
        splits = self.prepared.splits
        places = (
            splits.validation if part == "validation" else self.prepared.sealed.open("the gate")
        )
        metric = selection_metric(self.tuned.task, self.tuned.recipe.evaluate.metric)
        labels = self.tuned.head.labels
        return Exam.of(
            rows_at(self.prepared, places, labels), self.lexicon,
            choices(self.asked.positive, labels.names), metric, self.asked.carriers,
            self.asked.seed,
        )  # fmt: skip

    def trained(self, recipe: Recipe, seed: int) -> Reader:
        """The model a repaired recipe trains with a seed."""
        own = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})
        shop = furnish(own, self.prepared, self.folder, Artefacts(self.store.folder), self.progress)
        done = train(shop, self.progress)
        if done.interrupted:
            raise CheckRun(
                f"run {self.record.id}", "its repair was stopped by you",
                advice=f"luthier repair {self.record.id}",
            )  # fmt: skip
        return Reader.of(shop)


def repair(record: RunRecord, store: Store, asked: Asked, progress: Progress) -> dict[str, Any]:
    """What was tried and decided, JSON-ready; an accepted repair is a run of its own.

    Repairs are tried in turn on the validation rows, one seed each. The first that does there what
    the gate asks is trained with three seeds and judged on the test rows. The run itself keeps its
    model; only its report and repair.json tell of it.

    Raises: CheckRun for a run that is not finished, no classifier, or without validation and test
    rows; FixRecipe for an unknown repair; FixData for a file of words that cannot be read.
    """
    record.refuse_unfinished()
    for kind in asked.kinds:
        _known(kind)
    if (BY_HAND in asked.kinds) != (asked.labels is not None):
        raise FixRecipe(
            "--labels", "corrected labels and the repair that learns them go together",
            f"--kind {BY_HAND} --labels FILE", "list doubtful rows with luthier explain RUN "
            "--mislabelled --out FILE, and label them with luthier label RUN --pool FILE",
        )  # fmt: skip
    tuned = open_tuned(record.path, progress)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared = prepared_again(record, tuned, folder, progress)
        bench = _Bench(
            record, tuned, prepared, read_terms(asked.terms), asked, folder, store, progress
        )
        told = _climb(bench)
    if told["accepted"]:
        # What was judged is kept before the run is made, which takes a training more.
        write_json(record.path / FILE, told)
        told["made"] = _made(bench, told)
    told["words"] = decision_of(told)
    page = json.loads((record.path / "report.json").read_text(encoding="utf-8"))
    write_json(record.path / FILE, told)
    show_repair(record.path, page, told)
    Manifest.write(record.path)
    return told


def _known(kind: str) -> None:
    allowed = (BY_HAND, *LADDER, *CONTROLS)
    if kind not in allowed:
        close = nearest(kind, allowed)
        raise FixRecipe(
            f"--kind {kind!r}", "there is no such repair", ", ".join(allowed),
            f"did you mean {close!r}?" if close else "",
        )  # fmt: skip


def _climb(bench: _Bench) -> dict[str, Any]:
    asked = bench.asked
    tried: list[dict[str, Any]] = []
    exam = bench.exam("validation")
    before = answer(exam, Reader.of(bench.tuned), bench.progress)
    told: dict[str, Any] = {
        "run": bench.record.id, "accepted": False, "tried": tried, "conditions": [], "seeds": [],
        "kind": None, "lexicon": bench.lexicon.fingerprint,
        "limits": vars(asked.limits), "bias_before": float(before.seen.bias[0]),
    }  # fmt: skip
    held = {f"{kind}, {name}" for name, one in before.seen.held.items() for kind in one.gaps}
    if not any(f.verdict == "found" and f.measure in held for f in before.seen.findings()):
        told["nothing"] = "on the validation rows no difference between held-out words was found"
        return told
    for number, kind in enumerate(asked.kinds, start=1):
        bench.progress.say(f"repair {kind!r}, {number} of {len(asked.kinds)}")
        recipe = repaired(bench.record, bench.tuned.recipe, bench.rows, kind, asked)
        first = bench.trained(recipe, asked.seed)
        found, _ = compared(exam, before, answer(exam, first, bench.progress), asked.limits)
        failed = [c for c in found if not _promising(c, asked.limits)]
        tried.append(_tried(kind, found, failed))
        if not failed and kind != "blind":
            told |= _gate(bench, kind, recipe, first)
            break
    return told


def _promising(condition: Condition, limits: Limits) -> bool:
    """Whether a condition holds on the validation rows: its number counts there, not how sure it
    is, as one seed of a few rows is only to choose what is worth the gate."""
    from luthier.explain.bias.acceptance import LEVEL, QUALITY

    if condition.name == QUALITY and condition.value is not None:
        return condition.value > -limits.margin
    if condition.name == LEVEL and condition.value is not None:
        return condition.value >= 0
    return condition.held


def _tried(kind: str, found: Sequence[Condition], failed: Sequence[Condition]) -> dict[str, Any]:
    says = "; ".join(f"{c.name}: {c.says}" for c in failed) or "worth the gate"
    if kind == "blind":
        says = "; ".join([BLIND, *(f"{c.name}: {c.says}" for c in found)])
    names = [c.name for c in failed]
    return {
        "kind": kind, "says": says, "failed": names, "conditions": [c.as_dict() for c in found],
    }  # fmt: skip


def _gate(bench: _Bench, kind: str, recipe: Recipe, first: Reader) -> dict[str, Any]:
    """The verdict of the test rows on three seeds; the first is trained already."""
    asked = bench.asked
    exam = bench.exam("test")
    before = answer(exam, Reader.of(bench.tuned), bench.progress)
    each, seeds = [], []
    for seed in range(asked.seed, asked.seed + SEEDS):
        reader = first if seed == asked.seed else bench.trained(recipe, seed)
        after = answer(exam, reader, bench.progress)
        found, moved = compared(exam, before, after, asked.limits)
        each.append(found)
        seeds.append(
            {
                "seed": seed,
                "conditions": [c.as_dict() for c in found],
                "metrics": {name: [c.base, c.tuned] for name, c in moved.items()},
            }
        )
    conditions = of_seeds(each)
    return {
        "kind": kind,
        "accepted": all(c.held for c in conditions),
        "conditions": [c.as_dict() for c in conditions],
        "seeds": seeds,
    }


def repaired(record: RunRecord, recipe: Recipe, rows: int, kind: str, asked: Asked) -> Recipe:
    """The parent's recipe for so many training rows with the change, going on from its weights:
    fewer updates at a lower rate."""
    steps = max(1, math.ceil(SHARE * planning.schedule(recipe, rows).steps))
    rate = recipe.train.learning_rate
    assert rate != "auto"
    change = Repair.model_validate(
        {
            "kind": kind,
            "strength": asked.strength or STRENGTHS.get(kind, 0.3),
            "parent": str(record.path),
            "terms": None if asked.terms is None else str(asked.terms.resolve()),
            "labels": str(asked.labels.resolve()) if asked.labels and kind == BY_HAND else None,
        }
    )
    trained = {"max_steps": steps, "learning_rate": RATE * rate, "seed": asked.seed,
               # It begins as the parent ended, so there is no probe to take a part of.
               "probe_start": "auto"}  # fmt: skip
    return recipe.model_copy(
        update={
            "name": f"{recipe.name} repaired"[:64],
            "repair": change,
            "tune": None,
            "train": recipe.train.model_copy(update=trained),
            "evaluate": recipe.evaluate.model_copy(update={"probe": False, "track": None}),
            "fast": recipe.fast.model_copy(update={"prefix_cache": "off"}),
        }
    )


def _made(bench: _Bench, told: Mapping[str, Any]) -> str:
    """The accepted repair as a run: the first seed's training once more, with its record."""
    from luthier.stages.running import begin

    record = bench.record
    recipe = repaired(record, bench.tuned.recipe, bench.rows, told["kind"], bench.asked)
    made = begin(recipe, Path(record.facts["base_folder"]), bench.store, bench.progress)
    bench.store.set_facts(made.run, {"parent": record.id, "repair": told["kind"]})
    return made.run
