"""A classifier as an attacker meets it: what it reads alike is scored once and told alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.types import Task
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.labels import LabelSet
from luthier.models.adapters.lora import LowRank
from luthier.models.base import BaseSpec, load_base
from luthier.models.build import HeadFacts, assemble, build_head
from luthier.recipe.train import Train
from luthier.safety.victim import NetworkVictim
from luthier.screen.canonical import canonical
from tiny import bert

__all__ = ["bert"]


class Counting:
    """A head that counts the rows it scores."""

    def __init__(self, head: Any) -> None:
        self.head, self.rows = head, 0

    def scores(self, network: Any, batch: Any) -> Any:
        found = self.head.scores(network, batch)
        self.rows += len(found)
        return found


def _victim(bert: Path, canonical: Any) -> tuple[NetworkVictim, Counting]:
    base = load_base(BaseSpec(id=str(bert), precision="float32"), Task.CLASSIFY)
    head = build_head(Task.CLASSIFY, HeadFacts(LabelSet(("a", "b"))), Train())
    network = assemble(base, LowRank(4, 8.0), head, 0)
    contract = PromptContract(base.tokenizer, None, (), 32, "truncate", canonical=canonical)
    counting = Counting(head)
    return NetworkVictim(network, counting, contract, 0), counting  # type: ignore[arg-type]


def _told(victim: NetworkVictim, texts: Sequence[str]) -> np.ndarray:
    return np.asarray(victim.scores(texts))


def test_texts_read_alike_are_scored_once_and_each_counts_as_a_query(bert: Path) -> None:
    victim, head = _victim(bert, canonical)
    hidden = ["my loan", "my l\u200boan", "m\u200by loan", "my card"]
    found = _told(victim, hidden)
    assert head.rows == 2 and victim.scored == 4
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(_told(victim, hidden[::-1]), found[::-1])
    assert head.rows == 2 and victim.scored == 8


def test_texts_read_differently_keep_their_own_answers(bert: Path) -> None:
    victim, head = _victim(bert, None)
    texts = ["my loan", "my card", "a long story about my card and my loan", "my loan"]
    alone = np.concatenate([_told(_victim(bert, None)[0], [text]) for text in texts])
    np.testing.assert_allclose(_told(victim, texts), alone, atol=1e-5)
    assert head.rows == 3 and not np.allclose(alone[0], alone[2])
