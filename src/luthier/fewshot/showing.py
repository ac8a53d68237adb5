"""Answered questions that are shown before a new one: those whose words are nearest to it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun
from luthier.core.files import write_json

SHOWN = 4
"""How many are shown at most."""
FILE = "demonstrations.json"
_WORD = re.compile(r"\w+")

Messages = Sequence[Mapping[str, Any]]
Count = Callable[[str], int]
"""How many tokens a text has."""


@dataclass(frozen=True)
class Demonstrations:
    """N questions with their answers.

    Source: Liu et al. 2022, "What Makes Good In-Context Examples for GPT-3?", section 3 (nearest
    rows, the nearest last); words in place of vectors, so that no second model is needed.
    """

    questions: tuple[str, ...]
    answers: tuple[str, ...]

    @classmethod
    def of(cls, conversations: Sequence[Messages]) -> Demonstrations:
        """The last question and answer of each conversation that has both."""
        pairs = [_pair(messages) for messages in conversations]
        kept = [pair for pair in pairs if pair is not None]
        return cls(tuple(q for q, _ in kept), tuple(a for _, a in kept))

    def before(self, messages: Messages, room: int, count: Count) -> list[dict[str, Any]]:
        """The conversation with the nearest rows at the beginning of its last question, as many
        as `room` tokens take."""
        told = [dict(message) for message in messages]
        place = next((i for i in reversed(range(len(told))) if told[i]["role"] == "user"), None)
        if place is None:
            return told
        own = str(told[place].get("content") or "")
        shown: list[str] = []
        for i in self.nearest(own)[:SHOWN]:
            text = f"{self.questions[i]}\n{self.answers[i]}\n\n"
            room -= count(text)
            if room < 0:
                break
            shown.insert(0, text)
        told[place]["content"] = "".join(shown) + own
        return told

    def nearest(self, question: str) -> list[int]:
        """All rows, those with the most telling words in common first (cosine of TF-IDF)."""
        own = self._weights(question)
        scores = [sum(own.get(word, 0.0) * w for word, w in row.items()) for row in self._rows]
        return sorted(range(len(scores)), key=lambda i: (-scores[i], i))

    def save(self, folder: Path) -> None:
        """Raises: FreeDisk."""
        write_json(folder / FILE, {"questions": self.questions, "answers": self.answers})

    @cached_property
    def _telling(self) -> dict[str, float]:
        """Smoothed inverse document frequency by word."""
        seen = Counter(word for text in self.questions for word in set(_words(text)))
        return {w: math.log((1 + len(self.questions)) / (1 + n)) + 1 for w, n in seen.items()}

    @cached_property
    def _rows(self) -> list[dict[str, float]]:
        return [self._weights(question) for question in self.questions]

    def _weights(self, text: str) -> dict[str, float]:
        found = {w: n * self._telling.get(w, 0.0) for w, n in Counter(_words(text)).items()}
        size = math.sqrt(sum(value * value for value in found.values())) or 1.0
        return {word: value / size for word, value in found.items() if value}


def load(folder: Path) -> Demonstrations | None:
    """What `save` wrote; None where nothing was.

    Raises: CheckRun for a file that is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        questions, answers = (tuple(map(str, told[name])) for name in ("questions", "answers"))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckRun(str(path), f"it can't be read: {error}", "as the run wrote it") from error
    if len(questions) != len(answers):
        raise CheckRun(str(path), f"{len(questions)} questions and {len(answers)} answers", "pairs")
    return Demonstrations(questions, answers)


def _pair(messages: Messages) -> tuple[str, str] | None:
    said = [m for m in messages if m["role"] in ("user", "assistant")]
    if len(said) < 2 or [m["role"] for m in said[-2:]] != ["user", "assistant"]:
        return None
    return str(said[-2].get("content") or ""), str(said[-1].get("content") or "")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
