"""Faithfulness is 0 for chance and 1 for the best order; what fails is named and never chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.progress import Silence
from luthier.core.types import Interval, Task
from luthier.explain.attribution import Attribution, Passage, Question
from luthier.explain.attributions.attention import RawAttention
from luthier.explain.attributions.build import members
from luthier.explain.attributions.occlusion import Occlusion
from luthier.explain.gate.faith import Faith, measure
from luthier.explain.gate.sanity import shuffled
from luthier.explain.gate.verdict import Verdict, decide, judge, settled
from luthier.explain.passages import passages_of
from luthier.explain.subject import Subject
from luthier.stages.explaining.judging import suited
from tiny import make_bench, sentences


@dataclass(frozen=True)
class Noise:
    """Scores that have nothing to do with the model."""

    sign: float = 1.0
    signed: bool = True
    name: str = "noise"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        found = []
        for question in questions:
            dice = np.random.default_rng(int(question.passage.ids.sum()))
            scores = self.sign * dice.normal(size=len(question.passage.words))
            found.append(Attribution(self.name, scores, True, passes=0.0))
        return found


@pytest.fixture(scope="module")
def known(bert: Path) -> tuple[Subject, list[Question]]:
    """A tiny classifier that learnt something."""
    bench = make_bench(bert, Task.CLASSIFY)
    bench.train(12, bench.batches())
    subject = Subject.of(bench.network, bench.head, bench.base.tokenizer, bench.plan.pad_id)
    bench.network.mode(False, False)
    passages = passages_of(sentences(16, 5), bench.contract, "here")
    logits = subject.logits([p.ids for p in passages])
    return subject, [Question(p, int(r.argmax())) for p, r in zip(passages, logits, strict=True)]


def test_occlusion_beats_noise_and_noise_is_never_chosen(
    known: tuple[Subject, list[Question]],
) -> None:
    subject, questions = known
    methods = {"noise": Noise(), "occlusion": Occlusion(), "attention": RawAttention()}
    found = judge(subject, questions, methods)
    assert found.chosen == "occlusion" and found.passed
    assert found.faith["occlusion"].overall.value > found.faith["noise"].overall.value
    assert found.faith["occlusion"].overall.value <= 1.0
    assert "no better than random" in found.failed["noise"]
    assert "random" in found.warning("noise")
    assert found.warning("occlusion") == ""
    assert "not measured" in found.warning("unheard of")
    assert Verdict.from_dict(found.as_dict()) == found
    assert found.with_best["occlusion"] == pytest.approx(1.0)


def test_where_none_passes_that_is_said(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    methods = {"noise": Noise(), "other": Noise(-1.0)}
    found = judge(subject, questions, methods)
    # Noise does not read the model: it is the same for every model.
    assert found.alike["noise"] == pytest.approx(1.0)
    assert not found.passed and set(found.failed) == {"noise", "other"}


def test_the_cheaper_of_two_equals_is_chosen(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    twice = Occlusion(name="twice")
    methods = {"occlusion": Occlusion(), "twice": twice}
    found = measure(subject, questions, methods)
    found.told["occlusion"] = [
        Attribution("occlusion", one.scores, True, passes=one.passes * 2)
        for one in found.told["occlusion"]
    ]
    assert decide(found, methods, {"occlusion": 0.0, "twice": 0.0}, 0).chosen == "twice"


def test_a_few_per_cent_are_not_worth_many_passes(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    methods = {"dear": Occlusion(), "cheap": Occlusion(), "worse": Occlusion()}
    verdict = decide(measure(subject, questions, methods), methods, dict.fromkeys(methods, 0.0), 0)

    def faith(value: float, passes: float) -> Faith:
        return replace(
            verdict.faith["dear"], overall=Interval(value, 0.5, 1.0), error=0.01, passes=passes
        )

    dear, cheap, worse = faith(0.80, 65), faith(0.77, 6), faith(0.75, 2)
    found = replace(verdict, faith={"dear": dear, "cheap": cheap, "worse": worse})
    assert found.best_of(methods) == "cheap"
    assert found.best_of(["dear", "worse"]) == "dear"


@pytest.mark.parametrize("chosen", ["occlusion", "ablation"])
def test_a_long_text_is_explained_by_slopes(
    chosen: str, known: tuple[Subject, list[Question]]
) -> None:
    subject, questions = known
    every = members(False)
    found = measure(subject, questions, every)
    verdict = replace(decide(found, every, dict.fromkeys(every, 0.0), 0), chosen=chosen)
    assert suited(verdict, subject, questions) == (chosen, "")
    words = tuple((2 * i, 2 * i + 1) for i in range(70))
    long = Question(Passage("a " * 70, np.ones(70, np.int64), words, np.arange(70)))
    method, why = suited(verdict, subject, [*questions, long])
    rivals = [n for n in verdict.faith if n.startswith(("integrated", "gradient", "refined"))]
    assert method == verdict.best_of(rivals) and method in rivals
    assert "70" in why and repr(method) in why and f"--method {chosen}" in why
    # Where nothing else passed, the measured method stays; so does one that hides nothing.
    alone = replace(verdict, failed=dict.fromkeys(rivals, ("failed",)))
    assert suited(alone, subject, [long]) == (chosen, "")
    assert suited(replace(verdict, chosen=method), subject, [long]) == (method, "")


def test_a_method_that_ignores_the_weights_fails(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    methods = {"occlusion": Occlusion()}
    found = measure(subject, questions, methods)
    assert "shuffled" in decide(found, methods, {"occlusion": 0.9}, 0).failed["occlusion"][0]


def test_shuffling_changes_answers_and_is_undone(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    ids = [q.passage.ids for q in questions]
    before = subject.logits(ids)
    kept = [p.detach().clone() for p in subject.network.parameters()]
    with pytest.raises(KeyError), shuffled(subject.network, 0):
        assert not np.allclose(subject.logits(ids), before)
        raise KeyError
    for old, new in zip(kept, subject.network.parameters(), strict=True):
        assert torch.equal(old, new)
    np.testing.assert_array_equal(subject.logits(ids), before)


def test_texts_that_would_change_nothing_are_not_measured(
    known: tuple[Subject, list[Question]],
) -> None:
    subject, questions = known
    methods = {"noise": Noise(), "occlusion": Occlusion()}
    assert judge(subject, questions, methods).texts == 8
    # Noise is never settled on, so all texts are looked at.
    assert judge(subject, questions, {"noise": Noise()}).texts == len(questions) == 16


def test_blocks_of_texts_add_up(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    methods = {"occlusion": Occlusion()}
    parts = [measure(subject, part, methods) for part in (questions[:6], questions[6:])]
    joined = parts[0].joined(parts[1])
    whole = measure(subject, questions, methods)
    assert [q.passage.text for q in joined.questions] == [q.passage.text for q in questions]
    for kind in whole.bounds:
        np.testing.assert_allclose(
            joined.losses["occlusion"][kind], whole.losses["occlusion"][kind], atol=1e-6
        )
        np.testing.assert_allclose(joined.bounds[kind].best, whole.bounds[kind].best, atol=1e-6)
    assert len(joined.told["occlusion"]) == 16
    verdict = decide(joined, methods, {"occlusion": 0.0}, 0)
    assert settled(joined, verdict, methods, 0)


class Counted(Silence):
    """Pieces of work: what was promised and what was done."""

    def __init__(self) -> None:
        self.pieces: list[list[int | None]] = []

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        self.pieces.append([total, 0])

    def advance(self, units: int = 1, note: str = "") -> None:
        self.pieces[-1][1] = (self.pieces[-1][1] or 0) + units


def test_the_steps_of_each_block_are_told_beforehand(known: tuple[Subject, list[Question]]) -> None:
    subject, questions = known
    listener = Counted()
    judge(subject, questions, {"noise": Noise(), "occlusion": Occlusion()}, progress=listener)
    assert listener.pieces and all(total == done for total, done in listener.pieces)
