"""What runs in a worker's process, and what it answers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.core import errors
from luthier.core.errors import LowerLearningRate, LuthierError
from luthier.search.executors.local import Advance
from luthier.search.trial import Outcome, Slice


@dataclass(frozen=True)
class Work:
    """The function (`module:function`) that sets a worker up, and its plain arguments. It gives
    back what advances a slice."""

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def begin(self) -> Advance:
        """Imports the function and calls it."""
        module, _, name = self.factory.partition(":")
        made: Advance = getattr(importlib.import_module(module), name)(**self.arguments)
        return made


@dataclass(frozen=True)
class Answer:
    """An outcome, or the parts of the error that ends the search: its class, place, what was met,
    what is allowed, advice."""

    outcome: Outcome | None
    error: tuple[str, str, str, str, str] | None = None


class Worker:
    """Sets itself up once and advances slices from then on."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._advance: Advance | None = None

    def prepare(self) -> None:
        """Sets up; errors come back with the first slice, where they are listened to."""
        try:
            self._ready()
        except LuthierError:
            return

    def advance(self, piece: Slice) -> Answer:
        """Divergence is an outcome; other errors of the house are told by their parts."""
        try:
            return Answer(Outcome(piece.trial, self._ready()(piece)))
        except LowerLearningRate as error:
            return Answer(Outcome(piece.trial, None, str(error), diverged=True))
        except LuthierError as error:
            parts = (error.place, error.met, error.allowed, error.advice)
            return Answer(None, (type(error).__name__, *parts))

    def _ready(self) -> Advance:
        if self._advance is None:
            self._advance = self._work.begin()
        return self._advance


def error_from(answer: Answer) -> LuthierError:
    """The error that a worker met, of the same class."""
    assert answer.error is not None
    name, place, met, allowed, advice = answer.error
    kinds = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
    made: LuthierError = kinds[name](place, met, allowed, advice)
    return made
