"""What a report shows of explanations that were followed during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number

MOVED, EFFECT = "explanations moved, %", "log odds lost without a word"


@dataclass(frozen=True, config=STRICT)
class TrackedWord:
    """A word out of proportion in the data: what its removal cost the label at the first look and
    at the last, there with an interval, and whether it is a shortcut."""

    word: str
    label: str
    rows: int
    z: Number
    first: Number | None
    last: tuple[Number, Number, Number] | None
    verdict: str


@dataclass(frozen=True, config=STRICT)
class TrackPart:
    """Sentences, lines of (update, value) by panel and name, and words."""

    sentences: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[tuple[Number, Number], ...]], ...] = ()
    words: tuple[TrackedWord, ...] = ()


def track_part(told: Mapping[str, Any]) -> TrackPart:
    """What track.json keeps."""
    looks = told["looks"]
    if not looks:
        return TrackPart(
            ("Explanations were not followed: three looks would have been too much of so small a "
             "training.",)
        )  # fmt: skip
    last, count = looks[-1], len(told["rows"])
    sentences = [f"The same {count} validation rows were explained {len(looks)} times."]
    if "moved" in last:
        moved, since = last["moved"], last["since"]
        sentences.append(
            f"From the first look to the last {100 * moved['value']:.0f} % "
            f"({100 * moved['low']:.0f} to {100 * moved['high']:.0f} %) of the weight of words "
            f"moved or turned its sign, {100 * since['value']:.0f} % of it since the look before."
        )
    found = [one["word"] for one in told["shortcuts"] if one["verdict"] == "shortcut"]
    if told["shortcuts"]:
        named = ", ".join(map(repr, found))
        sentences.append(
            f"At the last look the model leant on {named}, which stand out of proportion in the "
            "training rows: shortcuts, or reasons that a person has to recognise."
            if found
            else "At the last look no word out of proportion in the data was a shortcut for sure."
        )
    return TrackPart(tuple(sentences), tuple(_lines(told)), tuple(_words(told)))


def _lines(told: Mapping[str, Any]) -> list[tuple[str, str, tuple[tuple[float, float], ...]]]:
    looks = told["looks"]
    lines = []
    for key, name in (("moved", "since the first look"), ("since", "since the look before")):
        points = tuple((float(o["step"]), 100 * o[key]["value"]) for o in looks if key in o)
        lines.append((MOVED, name, points))
    for place, word in enumerate(told["words"]):
        points = tuple(
            (float(o["step"]), o["effects"][place]["effect"])
            for o in looks
            if o["effects"][place]["effect"] is not None
        )
        lines.append((EFFECT, word["word"], points))
    return [line for line in lines if line[2]]


def _words(told: Mapping[str, Any]) -> list[TrackedWord]:
    first, last = told["looks"][0]["effects"], told["looks"][-1]["effects"]
    found = []
    for old, new, word, one in zip(first, last, told["words"], told["shortcuts"], strict=True):
        ends = None if new["low"] is None else (new["apart"], new["low"], new["high"])
        found.append(
            TrackedWord(
                word["word"], word["label"], word["rows"], word["z"], old["apart"], ends,
                one["why"] or one["verdict"],
            )
        )  # fmt: skip
    return found
