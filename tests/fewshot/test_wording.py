"""What a model that writes thinks of class names, against one sequence at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fewshot_rows import asked, known
from luthier.core.types import Task
from luthier.fewshot.keeping import revive
from luthier.fewshot.rungs.worded import ByWords, Channel
from luthier.fewshot.wording import Wording
from luthier.models.base import BaseSpec, load_base
from luthier.models.network import Network
from tiny import llama

__all__ = ["llama"]
NAMES = ("bank card", "the loan", "pain in the left arm")


def naive(network: Network, ids: list[int], last: int) -> float:
    """Log-likelihood of the last tokens, by the model's own logits."""
    with torch.no_grad():
        logits = network.plain(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    places = range(len(ids) - last, len(ids))
    return float(sum(logits[i - 1, ids[i]] for i in places))


def test_likelihoods_are_those_of_single_sequences(llama: Path) -> None:
    base = load_base(BaseSpec(id=str(llama), precision="float32"), Task.CLASSIFY)
    network = Network(base.network, None, "last", base.kind)
    wording = Wording.of(base.tokenizer, NAMES, 64)
    texts = [base.tokenizer(t)["input_ids"] for t in ("please send money", "patient has fever now")]
    found = wording.scores(network, texts)
    assert found.shape == (2, 2, 3)
    bos = base.tokenizer.bos_token_id
    for row, text in enumerate(texts):
        bare = text[1:] if text[0] == bos else text
        for place, name in enumerate(wording.names):
            after = [bos, *bare, *wording.asking, *name]
            before = [bos, *wording.telling, *name, *bare]
            mean = naive(network, after, len(name)) / len(name)
            np.testing.assert_allclose(found[row, 0, place], mean, atol=1e-4)
            told = naive(network, before, len(bare))
            np.testing.assert_allclose(found[row, 1, place], told, atol=1e-3)


def test_a_long_text_is_read_from_its_beginning_and_names_whole(llama: Path) -> None:
    base = load_base(BaseSpec(id=str(llama), precision="float32"), Task.CLASSIFY)
    network = Network(base.network, None, "last", base.kind)
    wording = Wording.of(base.tokenizer, NAMES, 40)
    long = base.tokenizer("money " * 300)["input_ids"]
    found = wording.scores(network, [long, long[:120]])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_a_habit_is_taken_off_and_comes_back_from_disk() -> None:
    texts, truth = asked(40, 3)
    fitted = ByWords().fit(known(0))
    said = fitted.probabilities(texts)
    assert (said.argmax(axis=1) == truth).mean() > 0.75
    raw = texts.wording[:, 0].argmax(axis=1)  # type: ignore[index]
    assert (raw == truth).mean() < 0.5, "without calibration one name is always answered"
    for rung in (ByWords(), Channel()):
        fitted = rung.fit(known(0))
        again = revive(fitted.about(), fitted.arrays())
        np.testing.assert_array_equal(again.probabilities(texts), fitted.probabilities(texts))
