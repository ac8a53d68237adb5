"""Words that stand near each other in a model's own input embeddings."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FUNCTION_WORDS = """a about above after again all also am an and any are as at be because been
before being below
between both but by can cannot could did do does doing down during each either else ever few for
from further had has have having he her here hers him his how i if in into is it its itself just
less many may me might mine more most much must my neither never no nobody none nor not nothing
now of off on once only or other our ours out over own same shall she should so some such than
that the their theirs them then there these they this those through to too under until up us
very was we were what when where which while who whom whose why will with without would yes yet
you your yours"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words whose exchange changes the grammar or turns the meaning round; they are left alone."""
VERSION = 1


@dataclass(frozen=True)
class Lexicon:
    """Neighbours of whole-word tokens.

    `ids` are the tokens that have neighbours (W,), sorted; `near` their neighbours' tokens (W, K),
    nearest first, -1 for none; `words` the spelling of every token named, by token.
    """

    ids: NDArray[np.int64]
    near: NDArray[np.int64]
    words: dict[int, str]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {self.words[int(token)]: place for place, token in enumerate(self.ids)}

    def neighbours(self, word: str) -> list[str]:
        """The words near `word`, nearest first; none for a word that is not in the lexicon."""
        place = self._places.get(word.lower())
        if place is None:
            return []
        return [self.words[int(token)] for token in self.near[place] if token >= 0]

    def save(self, folder: Path) -> None:
        """Writes `lexicon.safetensors` into `folder`."""
        from safetensors.numpy import save_file

        words = json.dumps({str(token): word for token, word in self.words.items()})
        tensors = {"ids": self.ids, "near": self.near}
        save_file(tensors, str(folder / "lexicon.safetensors"), metadata={"words": words})

    @staticmethod
    def load(folder: Path) -> Lexicon:
        """What `save` wrote."""
        from safetensors import safe_open

        with safe_open(str(folder / "lexicon.safetensors"), "numpy") as file:
            words = {int(k): str(v) for k, v in json.loads(file.metadata()["words"]).items()}
            return Lexicon(file.get_tensor("ids"), file.get_tensor("near"), words)


def whole_words(tokenizer: Any, besides: Collection[str] = ()) -> dict[int, str]:
    """Tokens that are a word of letters by themselves, three letters or more, in lower case.

    Function words are left out, but for those named `besides`. Word-piece vocabularies mark what
    continues a word, others mark what begins one.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    special = set(tokenizer.all_special_ids)
    starts = [mark for mark in ("Ġ", "▁") if any(t.startswith(mark) for t in vocabulary)]
    without = FUNCTION_WORDS.difference(besides)
    found = {}
    for piece, token in vocabulary.items():
        word = piece[1:] if starts and piece.startswith(tuple(starts)) else piece
        begins = word is not piece if starts else not piece.startswith("##")
        fits = len(word) > 2 and word.isalpha() and word == word.lower()
        if begins and fits and token not in special and word not in without:
            found[token] = word
    return found


def build_lexicon(
    embeddings: NDArray[np.float32], words: dict[int, str], most: int = 12, least: float = 0.35
) -> Lexicon:
    """The `most` nearest words of each word with a centred cosine of at least `least`.

    `embeddings` (V, D). Forms of one word count as neighbours: an attacker may use them.
    """
    tokens = np.asarray(sorted(words), np.int64)
    rows = embeddings[tokens].astype(np.float32)
    rows = rows - rows.mean(0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    near = np.full((len(tokens), most), -1, np.int64)
    for first in range(0, len(tokens), 1024):
        cosines = rows[first : first + 1024] @ rows.T
        cosines[np.arange(len(cosines)), first + np.arange(len(cosines))] = -1.0
        near[first : first + 1024] = _nearest(cosines, tokens, most, least)
    kept = (near >= 0).any(1)
    named = np.unique(np.concatenate([tokens[kept], near[near >= 0]]))
    return Lexicon(tokens[kept], near[kept], {int(t): words[int(t)] for t in named})


def _nearest(
    cosines: NDArray[np.float32], tokens: NDArray[np.int64], most: int, least: float
) -> NDArray[np.int64]:
    width = min(most, cosines.shape[1])
    best = np.argpartition(-cosines, width - 1, axis=1)[:, :width]
    values = np.take_along_axis(cosines, best, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = np.take_along_axis(best, order, 1), np.take_along_axis(values, order, 1)
    found = np.full((len(cosines), most), -1, np.int64)
    found[:, :width] = np.where(values >= least, tokens[best], -1)
    return found


def table(lexicon: Lexicon, vocabulary: int) -> NDArray[np.int64]:
    """Neighbours by token (V, K): a token without neighbours is its own."""
    found = np.tile(np.arange(vocabulary)[:, None], (1, lexicon.near.shape[1]))
    near = np.where(lexicon.near >= 0, lexicon.near, lexicon.ids[:, None])
    found[lexicon.ids] = near
    return found


def continues(tokenizer: Any, words: Sequence[int] = ()) -> NDArray[np.bool_]:
    """Which tokens (V,) continue the word before them; special tokens do not."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    marks = tuple(m for m in ("Ġ", "▁") if any(t.startswith(m) for t in vocabulary))
    found = np.zeros(max(vocabulary.values()) + 1, bool)
    special = set(tokenizer.all_special_ids)
    for piece, token in vocabulary.items():
        inside = not piece.startswith(marks) and piece.isalnum() if marks else piece[:2] == "##"
        found[token] = inside and token not in special
    return found
