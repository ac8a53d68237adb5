"""A small lexicon of insults and threats, for when no learned filter is at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Toxic = Callable[[Sequence[str]], NDArray[np.bool_]]
"""Whether each text (N,) insults or threatens."""

_INSULTS = (
    "idiot", "moron", "imbecile", "stupid", "dumb", "loser", "scum", "trash", "pathetic",
    "worthless", "disgusting", "ugly", "freak", "retard", "bastard", "bitch", "slut", "whore",
    "asshole", "dickhead", "cunt", "fuck", "fucking", "fucker", "shit", "bullshit", "crap",
    "wanker", "prick", "twat", "jerk", "filthy", "vermin", "subhuman",
)  # fmt: skip
_THREATS = (
    r"(?:i(?:'ll| will)|i'm going to|we(?:'ll| will)) (?:kill|hurt|beat|destroy|find) you",
    r"you (?:should|will|deserve to) (?:die|burn|suffer)",
    r"(?:go|please) (?:die|kill yourself)",
    r"kill yourself",
)
_PATTERN = re.compile(rf"\b(?:{'|'.join(_INSULTS)})s?\b|\b(?:{'|'.join(_THREATS)})\b", re.I)


def by_lexicon(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts (N,) hold an insult or a threat of the list; it misses whatever is not listed."""
    return np.array([bool(_PATTERN.search(text)) for text in texts], np.bool_)
