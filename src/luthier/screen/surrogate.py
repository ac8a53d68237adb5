"""What is written in place of a finding: the same for the same value, of the same format."""

from __future__ import annotations

import hashlib
import hmac
import random
import string
from typing import Literal

from luthier.core.seeds import derive
from luthier.screen.checks import digits_of, luhn

Style = Literal["placeholder", "lifelike"]
_FIRST = ("Alex", "Robin", "Sam", "Kim", "Jordan", "Taylor", "Casey", "Jamie", "Morgan", "Riley")
_LAST = ("Arden", "Brook", "Calder", "Dale", "Ember", "Field", "Grove", "Haven", "Isle", "Juniper")
_PLACES = ("Northfield", "Westbridge", "Eastmere", "Southgate", "Millbrook", "Ashford", "Lakewood")


class Surrogates:
    """Draws surrogates from a keyed hash of the value: no table is kept, nothing can be undone.

    With the key of a run the same value gets the same surrogate in every row and at every
    process; another run draws others.
    """

    def __init__(self, seed: int, style: Style = "placeholder") -> None:
        self._key = derive(seed, "surrogates").to_bytes(8, "big")
        self._style = style

    def write(self, value: str, kind: str, group: str) -> str:
        """The surrogate of a value; secrets are never given lifelike ones."""
        same = " ".join(value.split()).casefold().encode("utf-8", "replace")
        mark = hmac.new(self._key, kind.encode() + b"\0" + same, hashlib.sha256).digest()
        if self._style == "placeholder" or group == "secrets":
            return f"[{kind.upper().replace('-', '_')}_{mark[:3].hex()}]"
        return _lifelike(value, kind, random.Random(mark))


def _lifelike(value: str, kind: str, chance: random.Random) -> str:
    if kind == "person":
        names = [chance.choice(_FIRST), chance.choice(_LAST)]
        return " ".join(names) if " " in value.strip() else names[0]
    if kind in ("place", "address", "street-address"):
        number = f"{chance.randint(1, 999)} " if kind != "place" else ""
        return number + chance.choice(_PLACES) + (" Street" if number else "")
    if kind == "email":
        return f"{chance.choice(_FIRST).lower()}{chance.randint(10, 9999)}@example.org"
    if kind == "url":
        return f"https://example.org/{chance.randrange(10**6)}"
    changed = "".join(_same_sort(c, chance) for c in value)
    return _with_check_digit(changed) if kind == "payment-card" else changed


def _same_sort(character: str, chance: random.Random) -> str:
    if character.isdecimal():
        return chance.choice(string.digits)
    if character.isalpha():
        drawn = chance.choice(string.ascii_lowercase)
        return drawn.upper() if character.isupper() else drawn
    return character


def _with_check_digit(text: str) -> str:
    last = max(i for i, c in enumerate(text) if c.isdigit())
    options = (text[:last] + digit + text[last + 1 :] for digit in string.digits)
    return next(o for o in options if luhn(digits_of(o)))
