"""What a report shows of the choice among training rows: how, what it gained, what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.evaluate.measure import metric
from luthier.stages.page.strict import STRICT, Number

MEANINGS = {
    "agreement": "cosine with the validation rows' gradient",
    "loss": "nats per token when rows were compared",
    "covered": "cosine of a row with the nearest of them",
}
WAYS = {
    "joint": "the better half by gradient and loss, and of it those that stand for all",
    "diverse": "those that stand for all",
    "gradient": "those that pull the model where the validation rows pull it",
    "random": "drawn by lot",
}


@dataclass(frozen=True, config=STRICT)
class MeanRow:
    """One number's mean over the chosen rows, as many drawn by lot, and all."""

    what: str
    chosen: Number
    lot: Number
    all: Number


@dataclass(frozen=True, config=STRICT)
class TestRow:
    """Chosen less drawn by lot, (value, low, high), on the test rows."""

    title: str
    direction: str
    difference: tuple[Number, Number, Number]


@dataclass(frozen=True, config=STRICT)
class SelectionPart:
    """The choice's part of a page."""

    sentences: tuple[str, ...]
    means: tuple[MeanRow, ...] = ()
    test: tuple[TestRow, ...] = ()


def selection_part(told: Mapping[str, Any]) -> SelectionPart:
    """What `selection.json` keeps."""
    means = told["means"]
    return SelectionPart(
        tuple(_sentences(told)),
        tuple(
            MeanRow(MEANINGS[name], means["chosen"][name], means["lot"][name], means["all"][name])
            for name in means["all"]
        ),
        tuple(_test(name, tuple(ends)) for name, ends in told.get("test", {}).items()),
    )


def _test(name: str, ends: Any) -> TestRow:
    return TestRow(metric(name).title, metric(name).direction, ends)


def _sentences(told: Mapping[str, Any]) -> list[str]:
    said = [f"Of {told['of']} training rows {told['count']} were learnt from: {WAYS[told['by']]}."]
    found = told.get("validation")
    if found is None or None in (found["chosen"], found["lot"]):
        return said
    title = metric(found["metric"]).title
    kept = (
        "the model of the chosen rows was kept"
        if told["kept"] == "chosen"
        else "the choice was no better, so the model of the rows drawn by lot was kept"
    )
    said.append(
        f"On the validation rows a training on them reaches {title} of {found['chosen']:.3f}, one "
        f"on as many rows drawn by lot {found['lot']:.3f}: {kept}."
    )
    return said
