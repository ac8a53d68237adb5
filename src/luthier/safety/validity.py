"""Whether a changed text still means the same: what an attack may call a success."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from luthier.safety.words import share_changed

Vectors = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass
class Validity:
    """Refuses changes a reader would not take for the same text.

    `vectors` gives one vector per text (B, D) by an encoder that was not tuned; `least` is the
    smallest cosine between before and after; `most_changed` the largest share of changed words,
    though one word may always change; `labels` are the names of the classes, none of which may be
    written into a text.
    """

    vectors: Vectors | None
    labels: Sequence[str] = ()
    least: float = 0.8
    most_changed: float = 0.25
    _known: dict[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def __call__(self, before: str, after: str, truth: int) -> str | None:
        """Why `after` is not valid, or None."""
        words = len(before.split())
        allowed = max(self.most_changed, 1.0 / max(1, words)) + 1e-9
        if share_changed(before, after) > allowed:
            return "too many words changed"
        if self._names_a_label(before, after, truth):
            return "names another label"
        if self.vectors is not None and self.cosine(before, after) < self.least:
            return "means something else"
        return None

    def cosine(self, before: str, after: str) -> float:
        """Cosine of the vectors of both texts."""
        assert self.vectors is not None
        if before not in self._known:
            self._known = {before: _unit(self.vectors([before])[0])}
        return float(self._known[before] @ _unit(self.vectors([after])[0]))

    def _names_a_label(self, before: str, after: str, truth: int) -> bool:
        old, new = set(words_of_name(before)), set(words_of_name(after))
        for number, label in enumerate(self.labels):
            name = set(words_of_name(label))
            if number != truth and name and name <= new and not name <= old:
                return True
        return False


def words_of_name(text: str) -> list[str]:
    """The words of a name or a text in lower case, names like `lostCard` or `lost_card` too."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
