"""What a report shows of content filters: what the data held, what was done, what is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number

_DONE = {
    "redact": "replaced",
    "block": "left out",
    "human": "kept, for a person to look at",
    "allow": "kept",
    "regenerate": "kept",
}


@dataclass(frozen=True, config=STRICT)
class KindRow:
    """A kind of finding: rows that hold it, findings, what happened, first rows in words."""

    kind: str
    group: str
    rows: int
    spans: int
    done: str
    where: str


@dataclass(frozen=True, config=STRICT)
class Promise:
    """What a learned judge promises: the largest share of harmless texts flagged, and on how many
    texts that rests; without `threshold` there were too few and it flags nothing. `caught` is the
    share of harmful test texts flagged as (value, low, high), where that was measured."""

    kind: str
    bound: Number
    texts: int
    threshold: Number | None = None
    caught: tuple[Number, Number, Number] | None = None


@dataclass(frozen=True, config=STRICT)
class FiltersPart:
    """The filters' part of a page; `kinds` are counts and places, never texts."""

    sentences: tuple[str, ...]
    kinds: tuple[KindRow, ...] = ()
    promises: tuple[Promise, ...] = ()
    share: Number = 0.0
    missing: str = ""


def filters_part(told: Mapping[str, Any]) -> FiltersPart:
    """What `safety.json` keeps under `filters`."""
    data, actions = told["data"], told["actions"]
    kinds = tuple(
        KindRow(
            k["kind"].replace("-", " "), k["group"], k["rows"], k["spans"],
            _DONE[actions[k["group"]]], k.get("where") or ", ".join(map(str, k["first_rows"][:8])),
        )
        for k in data["kinds"]
    )  # fmt: skip
    said = [
        f"{data['touched']:,} of {data['rows']:,} rows held something that the filters look for; "
        f"{data['dropped']:,} {'was' if data['dropped'] == 1 else 'were'} left out."
    ]
    if told["answers"]:
        said.append("What the model is asked and what it answers goes through the same filters.")
    if told.get("personal") and actions.get("personal", "off") != "off":
        said.append(_personal(told["personal"]))
    promises = tuple(
        Promise(**{**p, "caught": tuple(p["caught"]) if p.get("caught") else None})
        for p in told["promises"]
    )
    return FiltersPart(tuple(said), kinds, promises, told["false_positives"], told["missing"])


def _personal(told: Mapping[str, Any]) -> str:
    """How much of personal data is found, as measured elsewhere."""
    letters, tweets = told["letters"], told["tweets"]
    return (
        f"In made-up letters like those the filter was trained on, but of other words, it found "
        f"{_share(letters['recall'])} of the letters and digits that tell of a person, and "
        f"{_share(letters['precision'])} of what it marked was right. In tweets, which are unlike "
        f"them, it found {_share(tweets['recall'])} of the names of persons and places, the "
        f"others stayed, and {_share(tweets['precision'])} of what it marked was right."
    )


def _share(three: Sequence[float]) -> str:
    value, low, high = (f"{100 * one:.0f}" for one in three)
    return f"{value} % ({low} to {high})"
