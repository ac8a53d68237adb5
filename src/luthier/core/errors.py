"""The exceptions of the house. Each name says who has to act.

A message reads `<place>: <what was met>. <what is allowed>. <next step>`, so that the reader
knows where to look, what was wrong and what to do, in that order.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class LuthierError(Exception):
    """A problem that a person can solve.

    `place` is a file, row, key or run; `met` is what was found there; `allowed` says what would
    have been right; `advice` is the next step. `exit_code` is what the command line returns.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, place: str, met: str, allowed: str = "", advice: str = "") -> None:
        self.place, self.met, self.allowed, self.advice = place, met, allowed, advice
        sentences = [f"{place}: {_sentence(met)}", _sentence(allowed), _sentence(advice)]
        super().__init__(" ".join(s for s in sentences if s))


class FixRecipe(LuthierError):
    """The recipe asks for something unknown, impossible or contradictory."""

    exit_code = 2


class FixData(LuthierError):
    """A data file is missing, unreadable or does not fit the task."""

    exit_code = 3


class FixModel(LuthierError):
    """A model folder is missing, corrupt, unsafe or of the wrong kind."""

    exit_code = 4


class InstallExtra(LuthierError):
    """A feature needs an optional package."""

    exit_code = 5


class LowerMemory(LuthierError):
    """The work does not fit into memory."""

    exit_code = 6


class FreeDisk(LuthierError):
    """The disk is full or cannot be written."""

    exit_code = 7


class CheckRun(LuthierError):
    """A run does not exist, is not finished, or does not match what was asked."""

    exit_code = 8


class LowerLearningRate(LuthierError):
    """Training diverged: a loss or a gradient is not finite."""

    exit_code = 9


class NothingLearned(LuthierError):
    """Training ended and the trained parameters never moved."""

    exit_code = 10


class RepairStore(LuthierError):
    """The run store is damaged or of an unknown version."""

    exit_code = 11


class ResumeLater(LuthierError):
    """The user interrupted; the state is saved and the message says how to resume."""

    exit_code = 130


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word closest to `word`, or None when nothing is close.

    >>> nearest("learnign_rate", ["learning_rate", "epochs"])
    'learning_rate'
    """
    found = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return found[0] if found else None


def need_extra(extra: str, package: str, purpose: str) -> InstallExtra:
    """The error for a missing optional package, naming the extra that brings it."""
    return InstallExtra(
        purpose,
        f"the package {package!r} is not installed",
        advice=f"pip install 'luthier[{extra}]'",
    )


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else text + "."
