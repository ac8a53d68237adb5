"""Sentences about one answer; what each says was tried on the model before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from luthier.explain.attribution import Attribution, Passage
from luthier.explain.gate.faith import towards
from luthier.explain.telling.edits import Edit
from luthier.explain.telling.reader import Reader, edited, only

Level = Literal["customer", "analyst", "engineer"]
_LEVELS: Mapping[str, tuple[Level, ...]] = {
    "decision": ("customer", "analyst", "engineer"),
    "unsure": ("customer", "analyst", "engineer"),
    "necessity": ("customer", "analyst", "engineer"),
    "sufficiency": ("analyst", "engineer"),
    "against": ("analyst", "engineer"),
    "edit": ("customer", "analyst", "engineer"),
}
LEAST = 0.01
"""A smaller change of a probability is not spoken of."""


@dataclass(frozen=True)
class Claim:
    """One sentence, the words it names, and the probabilities that were measured for it."""

    kind: str
    says: str
    words: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


def for_level(claims: Sequence[Claim], level: Level) -> list[Claim]:
    """The sentences that a reader of this level is told."""
    return [claim for claim in claims if level in _LEVELS[claim.kind]]


def claims_of(
    reader: Reader,
    passage: Passage,
    told: Attribution,
    labels: Sequence[str],
    edits: Sequence[Edit] = (),
) -> list[Claim]:
    """What can be said of a classifier's answer and held when it was tried.

    A claim that did not hold is not among them.
    """
    chances = reader.chances([passage.text])[0]
    ranked = [int(i) for i in (-chances).argsort(kind="stable")]
    answer, second = ranked[0], ranked[min(1, len(ranked) - 1)]
    named, first, next_ = labels[answer], float(chances[answer]), float(chances[second])
    claims = [
        Claim(
            "decision",
            f"The model answers {named!r} ({_percent(first)}). Next is {labels[second]!r} "
            f"({_percent(next_)}).",
            numbers={"chance": first, "next": next_},
        )
    ]
    if first - next_ < 0.2:
        claims.append(
            Claim("unsure", f"It is unsure: {labels[second]!r} is nearly as likely.",
                  numbers={"lead": first - next_})
        )  # fmt: skip
    claims += _needed(reader, passage, told, labels, answer, first)
    claims += _against(reader, passage, told, answer, first)
    claims += [_edit(passage, edit, labels) for edit in edits]
    return claims


def _needed(
    reader: Reader,
    passage: Passage,
    told: Attribution,
    labels: Sequence[str],
    answer: int,
    first: float,
) -> list[Claim]:
    """The fewest of the heaviest words whose loss turns the answer, else the heaviest; and
    whether they are enough by themselves; the heaviest is named first."""
    heavy = [w for w in towards(told)[:4] if told.scores[w] > 0]
    if not heavy:
        return []
    sets = [heavy[: n + 1] for n in range(len(heavy))]
    left = reader.chances([edited(passage, [(w, None) for w in words]) for words in sets])
    turned = [n for n, row in enumerate(left) if int(row.argmax()) != answer]
    place = turned[0] if turned else len(sets) - 1
    words, row = sets[place], left[place]
    named = tuple(passage.spelt[w] for w in words)
    after = float(row[answer])
    numbers = {"before": first, "after": after}
    # A signed score may be larger for a word that spoke against the answer.
    most = "spoke for it most" if told.signed else "mattered most"
    alone = float(reader.chances([only(passage, words)])[0][answer])
    if turned:
        other = int(row.argmax())
        says = (
            f"{_listed(named)} {most}: without {_them(named)} the model would answer "
            f"{labels[other]!r} ({_percent(float(row[other]))})."
        )
    elif first - after >= LEAST:
        says = (
            f"{_listed(named)} {most}, but without {_them(named)} the answer stays "
            f"({_percent(after)} instead of {_percent(first)})."
        )
    else:
        return []
    enough = alone >= 0.5
    return [
        Claim("necessity", says, named, numbers),
        Claim(
            "sufficiency",
            f"Alone, {_listed(named)} {'is' if len(named) == 1 else 'are'} "
            f"{'enough' if enough else 'not enough'} for this answer ({_percent(alone)}).",
            named,
            {"alone": alone},
        ),
    ]


def _against(
    reader: Reader, passage: Passage, told: Attribution, answer: int, first: float
) -> list[Claim]:
    """The word that speaks most against the answer, where the model is surer without it."""
    if not told.signed or told.scores.min() >= 0:
        return []
    word = towards(told)[-1]
    after = float(reader.chances([edited(passage, [(word, None)])])[0][answer])
    if after - first < LEAST:
        return []
    spelt = passage.spelt[word]
    return [
        Claim(
            "against",
            f"{spelt!r} spoke against it: without it the model is surer ({_percent(after)}).",
            (spelt,),
            {"before": first, "after": after},
        )
    ]


def _edit(passage: Passage, edit: Edit, labels: Sequence[str]) -> Claim:
    parts = [f"{passage.spelt[w]!r} were {new!r}" for w, new in edit.changes if new]
    gone = [passage.spelt[w] for w, new in edit.changes if not new]
    if gone:
        parts.append(f"{_listed(gone)} were left out")
    says = f"It would answer {labels[edit.answer]!r} ({_percent(edit.chance)}) if "
    words = tuple(passage.spelt[w] for w, _ in edit.changes)
    return Claim("edit", says + " and ".join(parts) + ".", words, {"chance": edit.chance})


def _percent(chance: float) -> str:
    return f"{100 * chance:.0f} %"


def _listed(words: Sequence[str]) -> str:
    quoted = [repr(word) for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


def _them(words: Sequence[str]) -> str:
    return "it" if len(words) == 1 else "them"
