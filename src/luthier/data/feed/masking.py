"""Which tokens of a text are hidden, and what stands in their place, for masked language models."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import FixModel
from luthier.core.seeds import derive

SHARE, MASKED, RANDOM = 0.15, 0.8, 0.1
"""Share of tokens that are predicted; of these, share shown as the mask and as another word."""


@dataclass(frozen=True)
class Hidden:
    """A text as it is shown (T,), and which of its tokens are to be predicted (T,)."""

    ids: NDArray[np.int64]
    learn: NDArray[np.uint8]


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden. `special` tokens are neither hidden nor put in a word's place.

    The number of hidden tokens depends on the text alone, so the weight of a row is the same in
    every pass.

    Source: Devlin et al. 2019 (BERT), section 3.1 and appendix A.1.
    """

    mask_id: int
    vocabulary: int
    special: tuple[int, ...]

    @staticmethod
    def of(tokenizer: Any, vocabulary: int, place: str) -> Masking:
        """The masking of a tokenizer and a model with so many words.

        Raises: FixModel when it has no mask token.
        """
        if tokenizer.mask_token_id is None or tokenizer.mask_token_id >= vocabulary:
            raise FixModel(
                place,
                "its tokenizer has no mask token that the model knows",
                "an encoder that was pretrained by masked language modelling",
                "use a causal model, or the tokenizer that belongs to the encoder",
            )
        # What a tokenizer puts around every text is no word, even where it is not declared special.
        around = tokenizer("", add_special_tokens=True)["input_ids"]
        special = tuple(sorted({int(token) for token in (*tokenizer.all_special_ids, *around)}))
        return Masking(int(tokenizer.mask_token_id), min(len(tokenizer), vocabulary), special)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values that decide what is hidden; the rest follows from the tokenizer."""
        return {"mask_id": self.mask_id, "share": SHARE, "masked": MASKED, "random": RANDOM}

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """Tokens that may stand in the place of another."""
        return np.setdiff1d(np.arange(self.vocabulary), self.special)

    def fixed(self, ids: NDArray[np.generic]) -> Hidden:
        """The masks for measuring: a function of the text alone, so every model, split and file
        is asked the same."""
        content = np.ascontiguousarray(ids, "<i4").tobytes()
        return self.drawn(ids, derive(0, "fixed mask", hashlib.sha256(content).hexdigest()))

    def drawn(self, ids: NDArray[np.generic], seed: int) -> Hidden:
        """The masks for training under `seed`; one token at least where any is a word."""
        shown = np.array(ids, np.int64)
        learn = np.zeros(len(shown), np.uint8)
        words = np.flatnonzero(~np.isin(shown, self.special))
        if not len(words):
            return Hidden(shown, learn)
        random = np.random.default_rng(seed)
        places = random.permutation(words)[: max(1, round(SHARE * len(words)))]
        dice = random.random(len(places))
        learn[places] = 1
        shown[places[dice < MASKED]] = self.mask_id
        swapped = places[dice >= 1 - RANDOM]
        shown[swapped] = random.choice(self.words, len(swapped))
        return Hidden(shown, learn)
