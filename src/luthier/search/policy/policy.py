"""Who chooses the move: the analytic rule, a learnt value of moves, or now and then chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luthier.core.errors import RepairStore
from luthier.core.files import write_json
from luthier.search.policy.situation import MOVES, Move, Situation

FORMAT = 1


@dataclass(frozen=True)
class Policy:
    """`weights` (moves, features) give each move's value; without them the rule decides.

    With the chance `explore` a move is drawn evenly instead, so that what was logged can be used
    to judge other policies.
    """

    weights: tuple[tuple[float, ...], ...] = ()
    explore: float = 0.0

    def wanted(self, situation: Situation, legal: Sequence[Move], rule: Move) -> Move:
        """The move without chance: the rule's, or the legal one of the highest value."""
        if not self.weights:
            return rule
        values = np.asarray(self.weights) @ situation.vector()
        return max(legal, key=lambda move: float(values[MOVES.index(move)]))

    def choose(
        self, situation: Situation, legal: Sequence[Move], rule: Move, random: np.random.Generator
    ) -> tuple[Move, float]:
        """A legal move, and the probability it had."""
        wanted = self.wanted(situation, legal, rule)
        chances = [self.explore / len(legal) + (1 - self.explore) * (m == wanted) for m in legal]
        place = int(random.choice(len(legal), p=chances)) if self.explore else legal.index(wanted)
        return legal[place], float(chances[place])

    def write(self, file: Path) -> None:
        """Writes it as JSON."""
        write_json(file, {"format": FORMAT, "moves": MOVES, "weights": self.weights})

    @classmethod
    def read(cls, file: Path) -> Policy:
        """What `write` wrote.

        Raises: RepairStore for another format or other features.
        """
        found = json.loads(file.read_text(encoding="utf-8"))
        weights = np.asarray(found.get("weights", ()), np.float64)
        shape = (len(MOVES), len(Situation(*[0.0] * 10).vector()))
        if found.get("format") != FORMAT or weights.shape != shape:
            raise RepairStore(
                str(file), f"a policy of format {found.get('format')} and shape {weights.shape}",
                f"format {FORMAT} and shape {shape}", advice="learn it again",
            )  # fmt: skip
        return cls(tuple(tuple(map(float, row)) for row in weights))
