"""From an evaluated run to its report page and its JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from luthier.core.files import write_json, write_text
from luthier.core.types import Finding, Task
from luthier.evaluate.predictions import ClassPredictions, TextPredictions
from luthier.evaluate.worst import worst
from luthier.recipe.load import dump_recipe
from luthier.stages.evaluation import Evaluated
from luthier.stages.page.data import (
    Bin,
    Confusion,
    Cost,
    Curve,
    Estimate,
    FastPath,
    Histogram,
    MetricRow,
    Mistake,
    Remark,
    ReportData,
    Sample,
)
from luthier.stages.parts.environment import environment
from luthier.stages.report_page import render
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop, token_findings
from luthier.store.store import RunRecord

BINS = 15
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
        adapter=_adapter(shop),
        primary=_headline_metric(shop, found),
        rows={k: v for k, v in shop.prepared.report.rows.items() if k in _PARTS},
        models=tuple(found.predictions),
        base=found.base,
        tuned=found.tuned,
        metrics=tuple(_metric_rows(found)),
        curves=tuple(_curves(trained)),
        confusion=_confusion(tuned) if isinstance(tuned, ClassPredictions) else None,
        calibration=_bins(tuned) if isinstance(tuned, ClassPredictions) else (),
        mistakes=tuple(_mistakes(shop, found)),
        samples=tuple(_samples(shop, found)),
        lengths=_lengths(shop),
        findings=tuple(_remark(f) for f in findings),
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
        commands=(
            f"luthier run {run.path / 'recipe.yaml'}",
            f'luthier predict {run.id} "some text"',
            f"luthier eval {run.id} --data more.csv",
        ),
        limits=(*LIMITS, *found.notes, *_forgotten(found)),
    )


_PARTS = ("total", "train", "validation", "test")


def _headline_metric(shop: Workshop, found: Evaluated) -> str:
    from luthier.evaluate.measure import primary

    wanted = shop.recipe.evaluate.metric
    name = primary(shop.task) if wanted == "auto" else wanted
    return name if name in found.comparison else next(iter(found.comparison))


def _adapter(shop: Workshop) -> str:
    section = shop.recipe.adapter
    if section.kind == "lora":
        kind = "DoRA" if section.decomposed else "rsLoRA" if section.rank_stabilised else "LoRA"
        where = f"top {section.top_layers} layers" if section.top_layers else "all layers"
        return f"{kind}, rank {section.rank}, {where}"
    return {"ia3": "IA3", "full": "full fine-tuning", "none": "output layer only"}[section.kind]


def _metric_rows(found: Evaluated) -> list[MetricRow]:
    names = list(dict.fromkeys(m for i in found.intervals.values() for m in i))
    rows = []
    for name in names:
        estimates = {
            model: Estimate(value=i[name].value, low=i[name].low, high=i[name].high)
            for model, i in found.intervals.items()
            if name in i
        }
        comparison = found.comparison.get(name)
        difference = None
        if comparison is not None:
            d = comparison.difference
            difference = Estimate(value=d.value, low=d.low, high=d.high)
        rows.append(
            MetricRow(
                name=name,
                estimates=estimates,
                difference=difference,
                p_value=comparison.p_value if comparison else None,
                test=comparison.test if comparison else "",
                absent={m: a[name] for m, a in found.absent.items() if name in a},
            )
        )
    return rows


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


def _confusion(predictions: ClassPredictions, most: int = 15) -> Confusion:
    """Counts for the classes with the most confusion; all when there are few."""
    answer = predictions.probabilities.argmax(1)
    truth = predictions.truth
    labels = list(predictions.labels)
    chosen = list(range(len(labels)))
    if len(labels) > most:
        wrong = Counter(truth[truth != answer].tolist()) + Counter(answer[truth != answer].tolist())
        chosen = sorted(n for n, _ in wrong.most_common(most))
    counts = tuple(tuple(int(((truth == a) & (answer == b)).sum()) for b in chosen) for a in chosen)
    return Confusion(labels=tuple(labels[i] for i in chosen), counts=counts)


def _bins(predictions: ClassPredictions) -> tuple[Bin, ...]:
    sure = predictions.probabilities.max(1)
    right = predictions.probabilities.argmax(1) == predictions.truth
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(
            count=int((place == b).sum()),
            confidence=float(sure[place == b].mean()),
            accuracy=float(right[place == b].mean()),
        )
        for b in range(BINS)
        if (place == b).any()
    )


def _mistakes(shop: Workshop, found: Evaluated) -> list[Mistake]:
    table = shop.prepared.table
    mistakes = []
    for entry in worst(found.predictions[found.tuned], 12):
        row = int(entry["row"])
        mistakes.append(
            Mistake(
                row=table.source_row(row),
                text=table.input_text(row)[:600],
                truth=str(entry["truth"]),
                predicted=str(entry["predicted"]),
                score=float(entry["score"]),
                measure=str(entry["measure"]),
            )
        )
    return mistakes


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


def _lengths(shop: Workshop) -> Histogram:
    lengths = shop.encoded.lengths
    counts, edges = np.histogram(lengths, bins=min(20, max(1, int(lengths.max()))))
    limit = shop.contract.max_tokens
    return Histogram(
        edges=tuple(float(e) for e in edges),
        counts=tuple(int(c) for c in counts),
        limit=float(limit) if lengths.max() >= limit else None,
    )


def _remark(finding: Finding) -> Remark:
    return Remark(
        code=finding.code,
        level=finding.level.value,
        message=finding.message,
        count=finding.count,
        rows=finding.rows,
    )


def _forgotten(found: Evaluated) -> list[str]:
    if not found.forgetting:
        return []
    before = found.forgetting["general bits_per_byte base"]
    after = found.forgetting["general bits_per_byte tuned"]
    verdict = "was kept" if after <= before * 1.02 else "became worse"
    return [
        f"General ability {verdict}: {before:.3f} bits per byte of a fixed general text before, "
        f"{after:.3f} after (lower is better)."
    ]
