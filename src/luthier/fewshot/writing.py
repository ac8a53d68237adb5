"""Ways to make a model that writes from few rows, from none to all that training may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from luthier.models.head import Head


@dataclass(frozen=True)
class Way:
    """One way; `what` tells it in a few words.

    `trains` is whether updates are made, `adapter` that of its own (None: the recipe's), `shown`
    whether the nearest rows stand before each question, `against` whether answers are learnt
    against answers to other rows.
    """

    name: str
    order: int
    what: str
    trains: bool = False
    adapter: Literal["ia3"] | None = None
    shown: bool = False
    against: bool = False

    def head(self, plain: Head, pad: int, longest: int) -> Head:
        """What is trained: the plain head, or one with the losses of wrong answers."""
        if not self.against:
            return plain
        from luthier.fewshot.tuning.options import AgainstOthers
        from luthier.models.heads.language import LanguageHead

        assert isinstance(plain, LanguageHead)
        return AgainstOthers(plain, pad, longest)


WAYS: tuple[Way, ...] = (
    Way("as-is", 0, "the base as it is"),
    Way("shown", 1, "the base with the nearest rows shown before each question", shown=True),
    Way("trained", 2, "trained as the recipe says", trains=True),
    Way("against", 3, "the same, also against answers to other rows", trains=True, against=True),
    Way(
        "t-few", 4, "IA3 trained on answers and against answers to other rows", trains=True,
        adapter="ia3", against=True,
    ),
)  # fmt: skip
USUAL = "trained"
"""What is taken without evidence: what a run without the ladder does."""
NAMES = tuple(way.name for way in WAYS)


def ways(names: Sequence[str] = ()) -> tuple[Way, ...]:
    """Ways by name, all without names, from simple to costly."""
    return tuple(way for way in WAYS if not names or way.name in names)
