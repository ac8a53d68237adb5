"""Numbers and verdicts in plain language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from luthier.core.errors import FixRecipe
from luthier.evaluate import better, metric
from luthier.stages.page.data import Estimate, MetricRow, ReportData

SIGNIFICANT = 0.05
NARROW = "\u202f"
MINUS = "\u2212"

SENTENCES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("is right on {} of unseen rows", "on {}"),
    "micro_f1": ("finds the labels of unseen rows with a micro-F1 of {}", "with {}"),
    "entity_f1": ("finds the entities of unseen rows with an F1 of {}", "with {}"),
    "mae": ("is off by {} on average on unseen rows", "by {}"),
    "rougeL": ("writes answers that overlap with the reference by {} (ROUGE-L)", "by {}"),
    "bits_per_byte": ("needs {} bits for each byte of unseen text", "needs {}"),
    "masked_loss": ("loses {} nats on each hidden token of unseen text", "loses {}"),
    "pair_accuracy": ("prefers the better answer in {} of unseen pairs", "in {}"),
}
"""What a model does, and the short form for the model it is compared with."""


@dataclass(frozen=True)
class Headline:
    """The top of the page: `verdict` is better, same, worse or unknown."""

    verdict: str
    badge: str
    sentences: tuple[str, ...]


def headline(data: ReportData) -> Headline:
    """The result in two or three sentences, never kinder than the numbers."""
    row = next((m for m in data.metrics if m.name == data.primary), None)
    tuned = row.estimates.get(data.tuned) if row else None
    if row is None or tuned is None:
        return Headline("unknown", "Not measured", ("The tuned model was not measured.",))
    base = row.estimates.get(data.base)
    does, short = SENTENCES.get(data.primary, (f"reaches {{}} in {title(data.primary)}", "{}"))
    first = f"The {data.tuned} {does.format(number(row.name, tuned.value))}"
    if base is None or row.difference is None:
        sentence = f"{first}. It was compared with no untouched model."
        return Headline("unknown", "No comparison", (sentence, *_rivals(data, row)))
    first += f"; the {data.base} {short.format(number(row.name, base.value))}."
    verdict = judge(row)
    badge = f"{BADGES[verdict]} than the {data.base}"
    return Headline(verdict, badge, (first, _certainty(data, row), *_rivals(data, row)))


BADGES = {"better": "Better", "same": "No better", "worse": "Worse"}


def judge(row: MetricRow) -> str:
    """better or worse only where both the interval and the test leave chance aside, else same."""
    gap = row.difference
    if gap is None or gap.low is None or gap.high is None:
        return "same"
    clear = gap.low > 0 or gap.high < 0
    if not clear or (row.p_value is not None and row.p_value >= SIGNIFICANT):
        return "same"
    return "better" if better(row.name, gap.value, 0.0) else "worse"


def title(name: str) -> str:
    """The spelled-out name of a metric; the name itself when it is not one of ours."""
    try:
        return metric(name).title
    except FixRecipe:
        return name


def direction(name: str) -> str:
    """Which way is better."""
    try:
        return f"{metric(name).direction} is better"
    except FixRecipe:
        return ""


def number(name: str, value: float) -> str:
    """A metric's value: shares as per cent, others with three or four significant digits."""
    return f"{_decimal(value * 100, 1)}{NARROW}%" if _share(name) else plain(value)


def difference(name: str, value: float) -> str:
    """A signed difference: of shares in percentage points."""
    text = _decimal(value * 100, 1) if _share(name) else plain(value)
    return text if text.startswith(MINUS) else f"+{text}"


def interval(name: str, estimate: Estimate) -> str:
    """The ends of an interval, in the unit of the value."""
    if estimate.low is None or estimate.high is None:
        return ""
    if _share(name):
        low, high = (_decimal(v * 100, 1) for v in (estimate.low, estimate.high))
    else:
        low, high = plain(estimate.low), plain(estimate.high)
    return f"{low} to {high}"


def p_value(value: float) -> str:
    """A probability as readers expect it.

    >>> p_value(0.0002), p_value(0.0312)
    ('p < 0.001', 'p = 0.031')
    """
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def plain(value: float) -> str:
    """A number with thousands apart and no false precision."""
    size = abs(value)
    if size and (size >= 1e7 or size < 1e-3):
        return f"{value:.2e}".replace("-", MINUS)
    return _decimal(value, 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3)


def breakable(text: str) -> Markup:
    """Text that may wrap after underscores, slashes and dots, as long label names must."""
    return Markup(re.sub(r"(?<=[_/.])(?=\w)", "<wbr>", str(escape(text))))


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(42.2), duration(3725)
    ('42 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def memory(megabytes: float) -> str:
    """Memory in MB, or GB from a thousand on."""
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _certainty(data: ReportData, row: MetricRow) -> str:
    gap = row.difference
    if gap is None or gap.low is None:
        return "How sure the difference is was not measured."
    unit = " points" if _share(row.name) else ""
    how = f"95{NARROW}% interval {interval(row.name, gap)}"
    how += f"; {row.test}, {p_value(row.p_value)}" if row.p_value is not None else ""
    rows = f"; {data.rows['test']:,} test rows" if data.rows.get("test") else ""
    rows = "; labelled rows held out in turn" if data.ladder and not rows else rows
    change = f"{difference(row.name, gap.value)}{unit}"
    verdict = judge(row)
    if verdict == "same":
        return (
            f"That is no better beyond chance: the difference of {change} "
            f"could be luck ({how}{rows})."
        )
    wrong = " The tuned model is worse; do not use it." if verdict == "worse" else ""
    return f"The difference of {change} is beyond chance ({how}{rows}).{wrong}"


def _rivals(data: ReportData, row: MetricRow) -> tuple[str, ...]:
    tuned = row.estimates[data.tuned].value
    ahead = [
        f"the {name} reaches {number(row.name, row.estimates[name].value)}"
        for name in data.models
        if name not in (data.base, data.tuned)
        and name in row.estimates
        and not better(row.name, tuned, row.estimates[name].value)
    ]
    if not ahead:
        return ()
    return (f"Note that a simpler method does as well or better: {' and '.join(ahead)}.",)


def _share(name: str) -> bool:
    try:
        return metric(name).share
    except FixRecipe:
        return False


def _decimal(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)
