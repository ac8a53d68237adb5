"""Labelling rules from a file: patterns and word lists, never code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixRecipe, nearest
from luthier.evaluate.predictions import IntArray
from luthier.fewshot.query import UNKNOWN
from luthier.recipe.load import parse_yaml

KEYS = ("name", "label", "words", "pattern", "unless")


@dataclass(frozen=True)
class Rule:
    """Votes for one label where `finds` is found and `unless`, if any, is not; else abstains."""

    name: str
    label: str
    finds: re.Pattern[str]
    unless: re.Pattern[str] | None = None

    def votes(self, text: str) -> bool:
        """Whether it votes for its label."""
        if not self.finds.search(text):
            return False
        return self.unless is None or not self.unless.search(text)


def read_rules(path: Path, labels: Sequence[str]) -> tuple[Rule, ...]:
    """The rules in a YAML or JSON file: a list under `rules`, each with a `label` and either
    `words` (any of them, as whole words) or a `pattern` (a regular expression); case is ignored.

    Raises: FixRecipe for a file that can't be read, an unknown key or label, or a broken pattern.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FixRecipe(str(path), f"it can't be read: {error}", "a YAML or JSON file") from error
    listed = content.get("rules")
    if not isinstance(listed, list) or not listed or set(content) != {"rules"}:
        raise FixRecipe(str(path), "there is no list of rules", "one key, `rules`, with a list")
    rules = tuple(_rule(each, f"{path}, rule {n}", labels) for n, each in enumerate(listed, 1))
    names = [rule.name for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FixRecipe(str(path), f"two rules are called {twice!r}", "a name for each")
    return rules


def votes_of(rules: Sequence[Rule], texts: Sequence[str], labels: Sequence[str]) -> IntArray:
    """The class each rule votes for on each text (N, R), `UNKNOWN` where it abstains."""
    number = {label: i for i, label in enumerate(labels)}
    return np.asarray(
        [[number[r.label] if r.votes(text) else UNKNOWN for r in rules] for text in texts], np.int64
    ).reshape(len(texts), len(rules))


def _rule(said: Any, place: str, labels: Sequence[str]) -> Rule:
    if not isinstance(said, Mapping):
        raise FixRecipe(place, "it is no mapping", f"the keys {', '.join(KEYS)}")
    for key in said:
        if key not in KEYS:
            near = nearest(str(key), KEYS)
            advice = f"did you mean {near!r}?" if near else ""
            raise FixRecipe(place, f"{key!r} is unknown", f"allowed: {', '.join(KEYS)}", advice)
    label = str(said.get("label", ""))
    if label not in labels:
        near = nearest(label, labels)
        advice = f"did you mean {near!r}?" if near else ""
        raise FixRecipe(place, f"{label!r} is no label", f"they are {', '.join(labels)}", advice)
    if ("words" in said) == ("pattern" in said):
        raise FixRecipe(place, "it must say what it looks for once", "either words or a pattern")
    finds = said.get("pattern")
    if finds is None:
        finds = _any_of(said["words"], place)
    unless = said.get("unless")
    return Rule(
        name=str(said.get("name") or f"rule {place.rsplit(' ', 1)[1]}"),
        label=label,
        finds=_compiled(finds, place),
        unless=None if unless is None else _compiled(unless, place),
    )


def _any_of(words: Any, place: str) -> str:
    listed = [str(word).strip() for word in words] if isinstance(words, list) else []
    if not listed or not all(listed):
        raise FixRecipe(place, "`words` is no list of words", "such as [refund, invoice]")
    return r"(?<!\w)(?:" + "|".join(re.escape(word) for word in listed) + r")(?!\w)"


def _compiled(pattern: Any, place: str) -> re.Pattern[str]:
    try:
        made = re.compile(str(pattern), re.IGNORECASE)
    except re.error as error:
        raise FixRecipe(place, f"the pattern {pattern!r} is broken: {error}") from error
    if made.search("") is not None:
        raise FixRecipe(
            place, f"the pattern {pattern!r} finds every text", "one that tells texts apart"
        )
    return made
