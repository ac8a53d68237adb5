"""From an evaluated run to its report page and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from luthier.core.files import write_json, write_text
from luthier.core.types import Task, file_of
from luthier.evaluate.measure import metric
from luthier.evaluate.predictions import ClassPredictions, TextPredictions
from luthier.fewshot.head import LadderHead
from luthier.recipe.load import dump_recipe
from luthier.stages.evaluation import Evaluated
from luthier.stages.explaining.tracking.part import track_part
from luthier.stages.fewshot.selection import selection_part
from luthier.stages.page.build import (
    calibration_of,
    confusion_of,
    lengths_of,
    mistakes_of,
    remarks_of,
    rows_of,
)
from luthier.stages.page.checks import behaviour_part, evidence_lines, poison_part
from luthier.stages.page.data import Cost, Curve, FastPath, Histogram, Mistake, ReportData, Sample
from luthier.stages.page.filters import filters_part
from luthier.stages.page.ladder import ladder_part
from luthier.stages.page.privacy import privacy_part
from luthier.stages.page.robustness import robustness_part
from luthier.stages.page.search import SearchPart, search_part
from luthier.stages.parts.environment import environment
from luthier.stages.report_page import render
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop, token_findings
from luthier.store.store import RunRecord

LIMITS = (
    "The numbers hold for rows like those of the test split; other sources may differ.",
    "A score is the model's own estimate, not a promise. Check rows with a low score by hand.",
)


@dataclass(frozen=True)
class Spent:
    """What a run really cost."""

    seconds: float
    memory_mb: float | None


def report(
    shop: Workshop, trained: Trained, found: Evaluated, run: RunRecord, spent: Spent
) -> ReportData:
    """Writes report.json and report.html into the run's folder and returns what they show.

    Raises: FreeDisk when there is no room.
    """
    data = _data(shop, trained, found, run, spent)
    write_json(run.path / "report.json", data.as_dict())
    write_text(run.path / "report.html", render(data))
    return data


def _data(
    shop: Workshop, trained: Trained, found: Evaluated, run: RunRecord, spent: Spent
) -> ReportData:
    tuned = found.predictions[found.tuned]
    findings = (*shop.prepared.report.findings, *token_findings(shop.encoded, shop.contract))
    return ReportData(
        title=shop.recipe.name,
        run=run.id,
        created=run.created.strftime("%Y-%m-%d %H:%M UTC"),
        task=shop.task.value,
        model=shop.base.spec.id,
        adapter=_adapter(shop, trained),
        primary=_headline_metric(shop, found),
        rows={k: v for k, v in shop.prepared.report.rows.items() if k in _PARTS},
        models=tuple(found.predictions),
        base=found.base,
        tuned=found.tuned,
        metrics=rows_of(found.intervals, found.comparison, found.absent),
        curves=tuple(_curves(trained)),
        confusion=confusion_of(tuned) if isinstance(tuned, ClassPredictions) else None,
        calibration=calibration_of(tuned) if isinstance(tuned, ClassPredictions) else (),
        mistakes=tuple(_mistakes(shop, found)),
        samples=tuple(_samples(shop, found)),
        lengths=_lengths(shop),
        findings=remarks_of(findings),
        fast_paths=tuple(
            FastPath(name=n, legal=p.on or "legal" in p.why, reason=p.why, used=p.on)
            for n, p in shop.legal.items()
        ),
        cost=Cost(
            memory_mb=shop.costs.memory_mb,
            seconds=shop.costs.seconds,
            measured_memory_mb=spent.memory_mb,
            measured_seconds=round(spent.seconds, 1),
        ),
        recipe=dump_recipe(shop.recipe),
        environment=environment() | {"data hash": shop.prepared.fingerprint[:16]},
        commands=_commands(shop, run),
        limits=(*LIMITS, *found.notes, *_forgotten(found)),
        search=_search(trained),
        privacy=privacy_part(kept) if (kept := trained.safety.get("privacy")) else None,
        evidence=evidence_lines(run.path, datetime.now(UTC)),
        poison=poison_part(seen) if (seen := trained.safety.get("poison")) else None,
        behaviour=behaviour_part(moved) if (moved := trained.safety.get("battery")) else None,
        filters=filters_part(told) if (told := trained.safety.get("filters")) else None,
        robustness=robustness_part(met) if (met := trained.safety.get("robustness")) else None,
        ladder=ladder_part(trained.ladder) if trained.ladder is not None else None,
        selection=selection_part(trained.selection) if trained.selection is not None else None,
        track=track_part(trained.track) if trained.track is not None else None,
    )


def _search(trained: Trained) -> SearchPart | None:
    if trained.search is None:
        return None
    return search_part(trained.search, metric(trained.metric).direction == "higher")


def _commands(shop: Workshop, run: RunRecord) -> tuple[str, ...]:
    asking = () if shop.base.masked else (f'luthier predict {run.id} "some text"',)
    again = f"luthier run {run.path / 'recipe.yaml'}"
    return (again, *asking, f"luthier eval {run.id} --data more.csv")


_PARTS = ("total", "train", "validation", "test")


def _headline_metric(shop: Workshop, found: Evaluated) -> str:
    from luthier.evaluate.measure import primary

    wanted = shop.recipe.evaluate.metric
    name = primary(shop.task) if wanted == "auto" else wanted
    return name if name in found.comparison else next(iter(found.comparison), name)


def _adapter(shop: Workshop, trained: Trained) -> str:
    told = trained.ladder
    if told is not None and (told.get("kind") != "writing" or not trained.state.step):
        return f"none; few-shot rung {told['rung']!r}"
    section = shop.recipe.adapter
    joined = ", joined with words" if isinstance(shop.head, LadderHead) else ""
    if section.kind == "lora":
        kind = "DoRA" if section.decomposed else "rsLoRA" if section.rank_stabilised else "LoRA"
        where = f"top {section.top_layers} layers" if section.top_layers else "all layers"
        return f"{kind}, rank {section.rank}, {where}{joined}"
    kinds = {"ia3": "IA3", "full": "full fine-tuning", "none": "output layer only"}
    return kinds[section.kind] + joined


def _curves(trained: Trained) -> list[Curve]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for step, name, value in trained.state.curve:
        lines.setdefault(name, []).append((float(step), value))
    curves = []
    for name, points in lines.items():
        if name == "loss":
            curves.append(Curve(name="training loss", points=tuple(_smooth(points)), panel="loss"))
        elif name == f"validation {trained.metric}":
            curves.append(Curve(name=name, points=tuple(points), panel=trained.metric))
    return curves


def _smooth(points: list[tuple[float, float]], most: int = 150) -> list[tuple[float, float]]:
    """Means over stretches, so that a long run stays readable."""
    size = max(1, len(points) // most)
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(p[-1][0], float(np.mean([v for _, v in p]))) for p in parts]


def _mistakes(shop: Workshop, found: Evaluated) -> list[Mistake]:
    table, tuned = shop.prepared.table, found.predictions[found.tuned]
    texts = [table.input_text(int(row)) for row in tuned.rows]
    several = len(table.files) > 1
    found_rows = [(m, table.source_row(m.row)) for m in mistakes_of(tuned, texts, 12)]
    return [
        replace(
            m,
            row=int(number),
            file=file_of(number) if several else "",
            text=m.text[:600],
            predicted=m.predicted[:600],
        )
        for m, number in found_rows
    ]


def _samples(shop: Workshop, found: Evaluated, most: int = 6) -> list[Sample]:
    tuned, base = found.predictions[found.tuned], found.predictions[found.base]
    if not (isinstance(tuned, TextPredictions) and isinstance(base, TextPredictions)):
        return []
    if shop.task is not Task.INSTRUCT:
        return []
    return [
        Sample(
            prompt=shop.prepared.table.input_text(int(tuned.rows[i]))[:600],
            tuned=tuned.texts[i][:600],
            reference=tuned.truth[i][0][:600],
            base=base.texts[i][:600],
        )
        for i in range(min(most, len(tuned.texts)))
    ]


def _lengths(shop: Workshop) -> Histogram | None:
    lengths, limit = shop.encoded.lengths, shop.contract.max_tokens
    return lengths_of(lengths, limit if lengths.max() >= limit else None) if len(lengths) else None


def _forgotten(found: Evaluated) -> list[str]:
    if not found.forgetting:
        return []
    name = "masked_loss" if "general masked_loss base" in found.forgetting else "bits_per_byte"
    before, after = (found.forgetting[f"general {name} {which}"] for which in ("base", "tuned"))
    verdict = "was kept" if after <= before * 1.02 else "became worse"
    return [
        f"General ability {verdict}: {before:.3f} {metric(name).title} of a fixed general text "
        f"before, {after:.3f} after (lower is better)."
    ]
