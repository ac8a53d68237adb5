"""Error rates and ranks of groups of real rows, against everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.explain.attribution import Floats, Ids
from luthier.explain.bias.finding import FEWEST, Finding, looked_at, too_few
from luthier.explain.bias.probed import plain
from luthier.explain.bias.ranks import areas
from luthier.explain.bias.rates import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    Errors,
    equality_difference,
    errors_of,
    odds_gap,
    weights_of,
)
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon


@dataclass(frozen=True)
class Groups:
    """Which rows (N) belong to which group (G); a row may belong to several."""

    names: tuple[str, ...]
    member: np.ndarray


def by_terms(texts: Sequence[str], lexicon: Lexicon) -> Groups:
    """A group for each word of the lexicon: the rows that say it."""
    names = tuple(term.word for term in lexicon.terms)
    place = {word: i for i, word in enumerate(names)}
    member = np.zeros((len(texts), len(names)), bool)
    for row, text in enumerate(texts):
        for mention in mentions(text, lexicon):
            member[row, place[mention.term.word]] = True
    return Groups(names, member)


def by_values(values: Sequence[Any]) -> Groups:
    """A group for each value of a column, the most frequent first; None belongs to none."""
    spelt = [None if value is None else str(value) for value in values]
    counts = {name: spelt.count(name) for name in dict.fromkeys(spelt) if name is not None}
    names = tuple(sorted(counts, key=lambda name: (-counts[name], name)))
    member = np.asarray([[value == name for name in names] for value in spelt], bool)
    return Groups(names, member.reshape(len(spelt), len(names)))


@dataclass(frozen=True)
class Measured:
    """Findings that are not yet corrected, sums with intervals, and ranks by group."""

    findings: list[Finding]
    sums: dict[str, Any]
    ranks: dict[str, dict[str, dict[str, float]]]


def measured(
    groups: Groups, truth: Ids, chances: Floats, positive: Sequence[int], draws: int, seed: int
) -> Measured:
    """Rates and ranks of every group with rows enough; the others say so.

    `truth` (N,) are classes, `chances` (N, C) the answers.
    """
    wanted = np.isin(truth, positive)
    decided = np.isin(chances.argmax(1), positive)
    weights = weights_of(len(truth), draws, seed)
    findings: list[Finding] = []
    gaps: dict[str, Floats] = {}
    for kind in (FALSE_POSITIVE, FALSE_NEGATIVE):
        errors = errors_of(groups.names, groups.member, wanted, decided, kind)
        fit = [i for i, n in enumerate(errors.counts) if n >= FEWEST]
        gaps[kind] = _only(errors, fit).gaps(weights)
        places = {i: at for at, i in enumerate(fit)}
        for i, (name, rows) in enumerate(zip(groups.names, errors.counts, strict=True)):
            some = int(groups.member[:, i].sum())
            if i in places:
                findings.append(looked_at(kind, name, rows, gaps[kind][:, places[i]]))
            else:
                findings.append(too_few(kind, name, rows, some))
    score = chances[:, list(positive)].sum(1)
    return Measured(findings, _sums(gaps), _ranks(groups, score, wanted, weights[:201]))


def _only(errors: Errors, kept: Sequence[int]) -> Errors:
    names = tuple(errors.groups[i] for i in kept)
    return Errors(
        names, errors.asked[:, kept], errors.wrong[:, kept], errors.all_asked, errors.all_wrong
    )


def _sums(gaps: Mapping[str, Floats]) -> dict[str, Any]:
    names = {FALSE_POSITIVE: "fped", FALSE_NEGATIVE: "fned"}
    told: dict[str, Any] = {
        name: plain(equality_difference(gaps[kind])) if gaps[kind].shape[1] else None
        for kind, name in names.items()
    }
    whole = all(gap.shape[1] > 1 for gap in gaps.values())
    told["equalised_odds"] = (
        plain(odds_gap(gaps[FALSE_POSITIVE], gaps[FALSE_NEGATIVE])) if whole else None
    )
    return told


def _ranks(
    groups: Groups, score: Floats, wanted: np.ndarray, weights: Floats
) -> dict[str, dict[str, dict[str, float]]]:
    """The areas of groups that have rows enough of both sides."""
    found = {}
    for i, name in enumerate(groups.names):
        member = groups.member[:, i]
        if min((member & wanted).sum(), (member & ~wanted).sum()) < FEWEST:
            continue
        drawn = areas(score, wanted, member, weights)
        found[name] = {measure: plain(draws) for measure, draws in drawn.items()}
    return found
