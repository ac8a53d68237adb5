"""How labels are spread: over the rows, and over the splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np

from luthier.core.types import Finding, Level, Task
from luthier.data.audits.scan import Scan
from luthier.data.split import Splits
from luthier.data.table import Table

Labels = list[tuple[str, ...]]
_RARE = 5
_SKEWED, _STRONGLY_SKEWED = 3.0, 10.0
_NAMED = 10


def labels_of(table: Table) -> Labels:
    """The labels of each row, () for tasks without."""
    if table.task is Task.CLASSIFY:
        return [(label,) for label in table.column("label")]
    if table.task is Task.MULTILABEL:
        return [tuple(sorted(labels)) for labels in table.column("labels")]
    if table.task is Task.TAG:
        return [tuple(span[2] for span in spans) for spans in table.column("spans")]
    return [()] * len(table)


def count_labels(labels: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """How often each label occurs, most frequent first."""
    return dict(Counter(label for row in labels for label in row).most_common())


def balance(counts: dict[str, int], declared: Collection[str] = ()) -> list[Finding]:
    """One class only, skewed classes, and classes with very few rows.

    With other classes `declared`, rows of one class are no error.
    """
    if len(counts) == 0:
        return [Finding("no-labels", Level.ERROR, "no row has a label")]
    if len(counts) == 1 and not set(declared) - counts.keys():
        name = next(iter(counts))
        message = f"every label is {name!r}; at least two classes are needed to tell apart"
        return [Finding("one-class", Level.ERROR, message, counts[name])]
    skew = _skew(counts) if len(counts) > 1 else []
    return [*skew, *_rare(counts)]


def _skew(counts: dict[str, int]) -> list[Finding]:
    ranked = list(counts.items())
    (most, many), (least, few) = ranked[0], ranked[-1]
    ratio = many / few
    if ratio < _SKEWED:
        return []
    level = Level.WARNING if ratio >= _STRONGLY_SKEWED else Level.INFO
    share = 100 * many / sum(counts.values())
    message = (
        f"{most!r} is {ratio:.1f} times as frequent as {least!r} ({many} to {few}); always "
        f"answering {most!r} is right in {share:.0f} % of cases"
    )
    return [Finding("imbalance", level, message, many)]


def _rare(counts: dict[str, int]) -> list[Finding]:
    rare = {name: count for name, count in counts.items() if count < _RARE}
    if not rare:
        return []
    message = f"{len(rare)} labels occur fewer than {_RARE} times: {_names(rare)}"
    return [Finding("rare-label", Level.WARNING, message, sum(rare.values()))]


def one_class(labels: Labels, scan: Scan) -> list[Finding]:
    """For tagging: a single type is fine, none is not."""
    if any(labels):
        return []
    return [Finding("no-labels", Level.ERROR, "no row has a span", len(scan.source))]


def constant(values: list[float]) -> list[Finding]:
    """A number to predict that never changes."""
    if len(set(values)) > 1:
        return []
    message = f"every label is {values[0]:g}; there is nothing to predict"
    return [Finding("one-class", Level.ERROR, message, len(values))]


def unseen(
    labels: Labels, splits: Splits, scan: Scan, declared: Collection[str] = (), open_: bool = False
) -> list[Finding]:
    """Labels of held-out rows that training never shows, and that are not `declared` either.

    With `open_`, test rows may have them, unless one is a known label in another spelling.
    """
    known = {label for i in splits.train.tolist() for label in labels[i]} | set(declared)
    found = []
    new = {label for i in splits.test.tolist() for label in labels[i]} - known
    bearable = open_ and not {_letters(label) for label in new} & {_letters(n) for n in known}
    for name, rows, level in (
        ("test", splits.test, Level.WARNING if bearable else Level.ERROR),
        ("validation", splits.validation, Level.WARNING),
    ):
        strange: dict[str, int] = Counter(
            label for i in rows.tolist() for label in set(labels[i]) - known
        )
        hit = [i for i in rows.tolist() if set(labels[i]) - known]
        found += scan.finding(
            f"label-only-in-{name}",
            level,
            np.array(hit, dtype=np.int64),
            f"{{count}} {name} rows have labels that training never shows: "
            + _names(strange).replace("{", "{{").replace("}", "}}"),
        )
    return found


def _letters(label: str) -> str:
    """A label without capitals and signs, in which spellings of one label are the same."""
    return "".join(c for c in label.casefold() if c.isalnum()) or label


def _names(counts: dict[str, int]) -> str:
    shown = ", ".join(repr(name) for name in list(counts)[:_NAMED])
    more = len(counts) - _NAMED
    return shown + (f" and {more} more" if more > 0 else "")
