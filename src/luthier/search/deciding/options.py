"""What a search can do next, and what it knows while it chooses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luthier.search.deciding.standing import ASKED_FOR
from luthier.search.policy.situation import Move, Situation
from luthier.search.sampler import Proposal
from luthier.search.trial import UNITS, Trial, next_look

if TYPE_CHECKING:
    from luthier.search.controller import Controller


@dataclass(frozen=True)
class Piece:
    """A slice that could be trained: log of the gain expected of training to the end, and the cost
    of the slice and of all that is left, in whole runs of the default."""

    gain: float
    cost: float
    whole: float

    def value(self, cost_weight: float) -> float:
        """Expected gain for what it costs to have it: all that is left, not the next slice alone,
        by which a new trial would always look cheaper than one that is nearly done."""
        return self.gain - cost_weight * math.log(self.whole)


@dataclass(frozen=True)
class Options:
    """The best paused trial and a new proposal, as far as there are any."""

    paused: Trial | None
    going_on: Piece | None
    beginning: Piece | None
    move: Move

    @classmethod
    def of(
        cls,
        paused: Sequence[Trial],
        pieces: Sequence[Piece],
        cost_weight: float,
        pays: Callable[[Piece], bool],
    ) -> Options:
        """From the pieces of the paused trials and, if there is one more, of the proposal; those
        that do not pay come last."""
        old, new = pieces[: len(paused)], pieces[len(paused) :]
        values = [(pays(p), p.value(cost_weight)) for p in pieces]
        place = max(range(len(old)), key=lambda i: values[i]) if old else -1
        begin = bool(new) and (not old or values[-1] > values[place])
        return cls(
            paused[place] if old else None,
            old[place] if old else None,
            new[0] if new else None,
            "begin" if begin else "continue",
        )

    @property
    def best(self) -> Piece:
        """The piece of the move that the rule prefers."""
        found = self.beginning if self.move == "begin" else self.going_on
        assert found is not None
        return found

    @property
    def legal(self) -> tuple[Move, ...]:
        """The moves that can be made."""
        found: list[Move] = ["stop"]
        if self.going_on is not None:
            found.append("continue")
        if self.beginning is not None:
            found.append("begin")
        return tuple(found)


def options_of(
    search: Controller, paused: Sequence[Trial], proposal: Proposal | None
) -> Options | None:
    """What a search can do next; None when nothing."""
    looks = [float(next_look(t.unit) - t.unit) for t in paused]
    costs = [search.costs.expected(t.config, u) for t, u in zip(paused, looks, strict=True)]
    left = [float(UNITS - t.unit) for t in paused]
    if proposal is not None:
        looks.append(float(search.problem.rules.first))
        costs.append(search.costs.expected(proposal.config, looks[-1]))
        left.append(float(UNITS))
    if not costs:
        return None
    gains = search.standing.gains(list(paused), proposal, search.begun)
    full = search.costs.full
    # A gain is had only when the trial is trained to its end.
    pieces = [
        Piece(float(gain), cost / full, cost / full * rest / look)
        for gain, cost, rest, look in zip(gains, costs, left, looks, strict=True)
    ]

    def pays(piece: Piece) -> bool:
        return unworthy(search, piece) is None

    return Options.of(paused, pieces, search.problem.rules.cost_weight, pays)


def unworthy(search: Controller, piece: Piece) -> str | None:
    """Why a piece does not pay, None when it does."""
    if asked_for(search):
        return None
    cost = piece.whole * search.costs.full
    return search.standing.unworthy(math.exp(piece.gain), cost, search.budget)


def asked_for(search: Controller) -> bool:
    """Whether the user gave a time, or far more runs than usual, of which less than twelve runs
    were spent so far: those are made whatever is expected of them."""
    budget = search.budget
    given = search.limit.seconds is not None or round(budget) >= ASKED_FOR
    return given and search.spent * budget < ASKED_FOR


def move_of(search: Controller, options: Options, random: np.random.Generator) -> tuple[Move, str]:
    """What is done, by the rule or by a learnt policy; and why, where it is to stop."""
    dry = None
    if not asked_for(search):
        dry = search.standing.fruitless(search.track, search.budget)
    why = unworthy(search, options.best) or dry
    rule: Move = "stop" if why else options.move
    policy = search.problem.rules.policy
    if policy is None:
        return rule, why or ""
    situation = situation_of(search, options)
    move, chance = policy.choose(situation, options.legal, rule, random)
    search.roster.moved(situation, options.legal, (move, rule, chance))
    return move, why or "a learnt policy expects nothing of going on"


def situation_of(search: Controller, options: Options) -> Situation:
    """What is known before the next move."""
    standing, scale, rules = search.standing, search.problem.scale, search.problem.rules
    lead, default = standing.incumbent, search.trials[0]
    belief = standing.beliefs([lead, default])
    price = scale.step(float(scale.score(standing.best)), rules.worth or 0.001)
    old, new = options.going_on, options.beginning
    return Situation(
        used=search.spent,
        trials=float(len(search.trials)),
        gain_continue=math.exp(old.gain) / price if old else 0.0,
        gain_begin=math.exp(new.gain) / price if new else 0.0,
        cost_continue=old.cost if old else 1.0,
        cost_begin=new.cost if new else 1.0,
        unit_continue=options.paused.unit / UNITS if options.paused else 0.0,
        lead=float(belief.mean[0] - belief.mean[1]),
        doubt=float(belief.deviation[0]),
        unfinished=float(lead.unit < UNITS),
    )
