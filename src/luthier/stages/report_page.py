"""The report of a run as one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from luthier.evaluate.measure import metric
from luthier.stages.page import charts, search_charts, words
from luthier.stages.page.data import Confusion, Curve, ReportData
from luthier.stages.page.search import SOURCES, parameter_name

TEMPLATES = Path(__file__).parent / "templates"
MATRIX_LABELS = 12
PAIRS = 10


def html_template(name: str) -> Template:
    """A page's template: every value escaped, a missing one an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def render(report: ReportData) -> str:
    """The page: no script, no request to anywhere, every value escaped."""
    primary = next((m for m in report.metrics if m.name == report.primary), None)
    return html_template("report.html.j2").render(
        r=report,
        w=words,
        charts=charts,
        sc=search_charts,
        sources=SOURCES,
        name_of=parameter_name,
        higher=report.search is None or metric(report.search.metric).direction == "higher",
        columns=columns(report),
        headline=words.headline(report),
        primary=primary,
        ordered=sorted(report.metrics, key=lambda m: m.name != report.primary),
        panels=panels(report.curves),
        tracked=panels(tracked(report)),
        flat=any(e.low == e.high is not None for m in report.metrics for e in m.estimates.values()),
        matrix=most_confused(report.confusion) if report.confusion else None,
        pairs=confused_pairs(report.confusion) if report.confusion else [],
    )


def columns(report: ReportData) -> dict[str, list[str]]:
    """The models of the results table: base and tuned side by side, then the others."""
    compared = [name for name in (report.base, report.tuned) if name in report.models]
    return {"compared": compared, "others": [n for n in report.models if n not in compared]}


def tracked(report: ReportData) -> tuple[Curve, ...]:
    """The lines of explanations that were followed."""
    lines = report.track.lines if report.track is not None else ()
    return tuple(Curve(name, points, panel) for panel, name, points in lines)


def panels(curves: tuple[Curve, ...]) -> dict[str, list[Curve]]:
    """The curves with points, by panel."""
    grouped: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.points:
            grouped.setdefault(curve.panel, []).append(curve)
    return grouped


def most_confused(confusion: Confusion) -> dict[str, Any]:
    """The matrix of the labels with the most errors, at most 12; `left_out` counts the others.

    `cells` are (count, share of the row's whole), the share over all labels.
    """
    size = len(confusion.labels)
    totals = [sum(row) for row in confusion.counts]
    errors = [
        totals[i] + sum(row[i] for row in confusion.counts) - 2 * confusion.counts[i][i]
        for i in range(size)
    ]
    kept = sorted(sorted(range(size), key=lambda i: -errors[i])[:MATRIX_LABELS])
    cells = [
        [(confusion.counts[i][j], confusion.counts[i][j] / (totals[i] or 1)) for j in kept]
        for i in kept
    ]
    return {
        "labels": [confusion.labels[i] for i in kept],
        "totals": [totals[i] for i in kept],
        "cells": cells,
        "left_out": size - len(kept),
    }


def confused_pairs(confusion: Confusion) -> list[tuple[str, str, int, float]]:
    """The commonest errors: true label, predicted label, rows, share of the true label's rows."""
    labels, counts = confusion.labels, confusion.counts
    found = [
        (labels[i], labels[j], count, count / sum(row))
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(found, key=lambda pair: -pair[2])[:PAIRS]
