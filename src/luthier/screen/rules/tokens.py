"""How rules of secrets are written: a body with boundaries, or a body near telling words."""

from __future__ import annotations

import re

from luthier.screen import checks
from luthier.screen.rule import Rule

_BEFORE, _AFTER = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"
LONGEST = 1400
"""No token of the tables is longer; every repetition in them is bounded below this."""


def token(kind: str, body: str, *hints: str) -> Rule:
    """A secret with a form of its own."""
    before = "" if body.startswith("[?&]") else _BEFORE
    pattern = re.compile(f"{before}(?:{body}){_AFTER}")
    return Rule(kind, "secrets", pattern, LONGEST, checks.drawn, hint=hints)


def by_context(kind: str, body: str, *near: str) -> Rule:
    """A secret whose form alone says too little: one of `near` stands shortly before it."""
    pattern = re.compile(f"{_BEFORE}(?:{body}){_AFTER}")
    context = re.compile("(?i)(?:" + "|".join(near) + ")")
    return Rule(kind, "secrets", pattern, LONGEST, checks.random_looking, context)
