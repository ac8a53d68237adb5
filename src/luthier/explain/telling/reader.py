"""A classifier asked about whole texts, as anyone may ask it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_texts
from luthier.explain.attribution import Floats, Passage
from luthier.explain.subject import Subject


@dataclass(frozen=True)
class Reader:
    """The subject behind its prompt contract."""

    subject: Subject
    contract: PromptContract

    def chances(self, texts: Sequence[str]) -> Floats:
        """Class probabilities (N, C)."""
        examples = encode_texts(texts, self.contract, False)
        logits = self.subject.logits([np.asarray(e.ids[0], np.int64) for e in examples])
        grown = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(grown / grown.sum(1, keepdims=True))


def edited(passage: Passage, changes: Sequence[tuple[int, str | None]]) -> str:
    """The text with words exchanged, or taken out where there is no new one."""
    text = passage.text
    for word, new in sorted(changes, reverse=True):
        start, stop = passage.words[word]
        text = text[:start] + (new or "") + text[stop:]
        if not new:
            # Two spaces in a row would tell where the word was.
            left, right = text[:start], text[start:]
            text = left + (right.lstrip(" ") if left.endswith(" ") or not left else right)
    return text.strip()


def only(passage: Passage, words: Sequence[int]) -> str:
    """These words alone, in their order."""
    return " ".join(passage.spelt[word] for word in sorted(words))
