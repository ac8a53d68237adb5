"""Turns predictions into the parts of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from luthier.core.types import Finding, Interval
from luthier.evaluate import Predictions
from luthier.evaluate.interval import Comparison
from luthier.evaluate.metrics.classification import BINS, confidence_bins, confusion
from luthier.evaluate.predictions import ClassPredictions, IntArray
from luthier.evaluate.worst import worst
from luthier.stages.page.data import (
    Bin,
    Confusion,
    Estimate,
    Histogram,
    MetricRow,
    Mistake,
    Remark,
)


def rows_of(
    found: Mapping[str, Mapping[str, Interval]],
    compared: Mapping[str, Comparison],
    missing: Mapping[str, Mapping[str, str]],
) -> tuple[MetricRow, ...]:
    """Every metric of every model with intervals, and the tuned model against the base.

    `found` holds intervals by model and metric, `compared` comparisons by metric, `missing` the
    reason why a model has no value of a metric.
    """
    rows: list[MetricRow] = []
    for metric in dict.fromkeys(metric for values in found.values() for metric in values):
        estimates = {
            name: Estimate(i[metric].value, i[metric].low, i[metric].high)
            for name, i in found.items()
            if metric in i
        }
        reasons = {name: m[metric] for name, m in missing.items() if metric in m}
        pair = compared.get(metric)
        if pair is None:
            rows.append(MetricRow(metric, estimates, absent=reasons))
            continue
        gap = Estimate(pair.difference.value, pair.difference.low, pair.difference.high)
        rows.append(MetricRow(metric, estimates, gap, pair.p_value, pair.test, reasons))
    return tuple(rows)


def confusion_of(predictions: ClassPredictions) -> Confusion:
    """The whole confusion matrix; the page shows the most confused labels of a large one."""
    counts = confusion(predictions)
    return Confusion(predictions.labels, tuple(tuple(int(v) for v in row) for row in counts))


def calibration_of(predictions: ClassPredictions) -> tuple[Bin, ...]:
    """The filled ones of 15 bins of equal width."""
    bins, confidence, right = confidence_bins(predictions)
    counts = np.bincount(bins, minlength=BINS)
    sure = np.bincount(bins, confidence, minlength=BINS)
    hits = np.bincount(bins, right, minlength=BINS)
    return tuple(
        Bin(int(n), float(s / n), float(h / n))
        for n, s, h in zip(counts, sure, hits, strict=True)
        if n
    )


def mistakes_of(
    predictions: Predictions, texts: Sequence[str], count: int = 20
) -> tuple[Mistake, ...]:
    """The worst answers with their texts (N, in the order of the predictions)."""
    return tuple(
        Mistake(
            e["row"],
            texts[e["index"]],
            spoken(e["truth"], texts[e["index"]]),
            spoken(e["predicted"], texts[e["index"]]),
            e["score"],
            e["measure"],
        )
        for e in worst(predictions, count)
    )


def lengths_of(lengths: IntArray, limit: int | None, bars: int = 30) -> Histogram:
    """A histogram of token counts (N,)."""
    counts, edges = np.histogram(lengths, bins=min(bars, max(1, int(np.ptp(lengths)))))
    return Histogram(
        tuple(float(e) for e in edges),
        tuple(int(c) for c in counts),
        limit=None if limit is None else float(limit),
    )


def remarks_of(findings: Sequence[Finding]) -> tuple[Remark, ...]:
    """The findings of the data report, errors first."""
    order = {"error": 0, "warning": 1, "info": 2}
    remarks = [
        Remark(f.code, f.level.value, f.message, f.count, f.rows, f.where(8)) for f in findings
    ]
    return tuple(sorted(remarks, key=lambda r: order[r.level]))


def spoken(value: Any, text: str = "") -> str:
    """An answer for people: labels joined, spans as their words, numbers short."""
    match value:
        case None:
            return ""
        case float():
            return f"{value:.6g}"
        case []:
            return "none"
        case [(int(), int(), str()), *_]:
            return "; ".join(f"{label}: {text[start:end]}" for start, end, label in value)
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
