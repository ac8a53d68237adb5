"""Every attribution method passes the same table, on classifiers and on models that write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.errors import FixData, FixModel, FixRecipe
from luthier.core.types import Task
from luthier.explain.attribution import Attribution, Attributor, Passage, Question, by_word
from luthier.explain.attributions.ablation import AblationRegression
from luthier.explain.attributions.attention import attentions
from luthier.explain.attributions.build import member_of, members, unmeasured
from luthier.explain.attributions.integrated import IntegratedGradients
from luthier.explain.attributions.refined import Refined
from luthier.explain.passages import conversation_of, passages_of
from luthier.explain.subject import Subject
from tiny import make_bench, sentences

TEXTS = [*sentences(6, 3), "loan", "card, please! pay the late fee?"]
KINDS = (("classifier", False), ("writer", True))
EVERY = [(name, kind) for kind, writes in KINDS for name in members(writes)]


@pytest.fixture(scope="module")
def classifier(bert: Path) -> tuple[Subject, list[Question]]:
    """A tiny encoder that tells three classes apart."""
    bench = make_bench(bert, Task.CLASSIFY)
    bench.train(6, bench.batches())
    bench.network.mode(False, False)
    subject = Subject.of(bench.network, bench.head, bench.base.tokenizer, bench.plan.pad_id)
    passages = passages_of(TEXTS, bench.contract, "here")
    return subject, [Question(p, i % 3) for i, p in enumerate(passages)]


@pytest.fixture(scope="module")
def writer(llama: Path) -> tuple[Subject, list[Question]]:
    """A tiny decoder that writes."""
    bench = make_bench(llama, Task.INSTRUCT)
    bench.network.mode(False, False)
    subject = Subject.of(bench.network, bench.head, bench.base.tokenizer, bench.plan.pad_id)
    asked = [([{"role": "user", "content": t}], "pay now") for t in TEXTS]
    return subject, [Question(conversation_of(m, a, bench.contract, "here")) for m, a in asked]


Known = tuple[Subject, list[Question]]


@pytest.fixture(params=["classifier", "writer"])
def known(request: pytest.FixtureRequest) -> Known:
    """Both kinds of model."""
    found: Known = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(("name", "known"), EVERY, indirect=["known"])
def test_one_finite_share_for_each_word(name: str, known: Known) -> None:
    subject, questions = known
    member = member_of(name, subject.writes)
    for question, found in zip(questions, member.explain(subject, questions), strict=True):
        assert found.scores.shape == (len(question.passage.words),)
        assert np.isfinite(found.scores).all() and np.isfinite(found.format)
        assert found.signed == member.signed
        assert member.signed or (found.scores >= 0).all()
        assert sorted(found.order) == list(range(len(found.scores)))
        if found.low is not None and found.high is not None:
            assert (found.low <= found.scores).all() and (found.scores <= found.high).all()


@pytest.mark.parametrize(("name", "known"), EVERY, indirect=["known"])
def test_company_changes_nothing(name: str, known: Known) -> None:
    subject, questions = known
    member = member_of(name, subject.writes)
    together = member.explain(subject, questions)
    for question, found in zip(questions, together, strict=True):
        (alone,) = member.explain(subject, [question])
        np.testing.assert_allclose(alone.scores, found.scores, atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize(("name", "known"), EVERY, indirect=["known"])
def test_the_network_is_left_as_it_was(name: str, known: Known) -> None:
    subject, questions = known
    network = subject.network
    kernel = network.backbone.config._attn_implementation
    grads = [(p.requires_grad, _bits(p.grad)) for p in network.parameters()]
    before = subject.values([(q.passage.ids, q) for q in questions])
    member_of(name, subject.writes).explain(subject, questions[:2])
    assert network.backbone.config._attn_implementation == kernel
    assert [(p.requires_grad, _bits(p.grad)) for p in network.parameters()] == grads
    for old, new in zip(
        before, subject.values([(q.passage.ids, q) for q in questions]), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def _bits(gradient: torch.Tensor | None) -> bytes:
    return b"" if gradient is None else gradient.numpy().tobytes()


@pytest.mark.parametrize(("name", "known"), EVERY, indirect=["known"])
def test_nothing_to_explain(name: str, known: Known) -> None:
    subject, _ = known
    assert member_of(name, subject.writes).explain(subject, []) == []


def test_the_budget_changes_nothing(known: Known) -> None:
    subject, questions = known
    whole = member_of("integrated", subject.writes).explain(subject, questions)
    before = subject.budget
    try:
        subject.budget = 1
        small = member_of("integrated", subject.writes).explain(subject, questions)
    finally:
        subject.budget = before
    for one, other in zip(whole, small, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=2e-5, rtol=1e-3)


def test_shares_add_up_to_the_difference_they_explain(known: Known) -> None:
    subject, questions = known
    found = IntegratedGradients(nodes=6, tolerance=1e-3, halvings=5).explain(subject, questions)
    for question, told in zip(questions, found, strict=True):
        passage = question.passage
        empty = passage.masked(range(len(passage.words)), subject.fill)
        full, bare = subject.totals([(passage.ids, question), (empty, question)])
        assert told.gap is not None and told.gap < 0.01
        assert told.scores.sum() + told.format == pytest.approx(
            full - bare, abs=0.02 * abs(full - bare) + 1e-4
        )
        # Tokens of the format are the same at both ends.
        assert told.format == pytest.approx(0.0, abs=1e-6)


def test_halving_closes_the_gap(known: Known) -> None:
    subject, questions = known
    rough = IntegratedGradients(nodes=2, tolerance=0.0, halvings=0).explain(subject, questions)
    fine = IntegratedGradients(nodes=2, tolerance=1e-4, halvings=5).explain(subject, questions)
    gaps = [[a.gap or 0.0 for a in found] for found in (rough, fine)]
    assert np.mean(gaps[1]) < np.mean(gaps[0])
    assert all(a.passes <= b.passes for a, b in zip(rough, fine, strict=True))


def test_each_written_token_has_its_shares(writer: Known) -> None:
    subject, questions = writer
    for name in ("occlusion", "ablation"):
        for question, found in zip(
            questions, member_of(name, True).explain(subject, questions), strict=True
        ):
            assert found.by_token is not None
            assert found.by_token.shape == (question.passage.answer, len(question.passage.words))
            np.testing.assert_allclose(found.by_token.sum(0), found.scores, atol=1e-6)


def test_a_fit_finds_what_is_additive(classifier: Known) -> None:
    subject, questions = classifier

    class Additive(Subject):
        """Counts tokens of one kind."""

        def values(self, asks):  # type: ignore[no-untyped-def]
            return [np.asarray([float((ids == wanted).sum())]) for ids, _ in asks]

    question = max(questions, key=lambda q: len(q.passage.words))
    wanted = int(question.passage.ids[question.passage.owner == 2][0])
    counted = Additive(subject.network, subject.head, subject.pad, subject.fill)
    for name in ("occlusion", "ablation"):
        (found,) = member_of(name, False).explain(counted, [question])
        truth = [
            float((question.passage.ids[question.passage.owner == w] == wanted).sum())
            for w in range(len(question.passage.words))
        ]
        np.testing.assert_allclose(found.scores, truth, atol=0.1)


def test_draws_move_wrong_shares_towards_what_words_do(classifier: Known) -> None:
    subject, questions = classifier
    question = max(questions, key=lambda q: len(q.passage.words))
    count = len(question.passage.words)
    truth = np.random.default_rng(0).normal(size=count)

    class Additive(Subject):
        """Each word adds its own number, unless its tokens are hidden."""

        def values(self, asks):  # type: ignore[no-untyped-def]
            found = []
            for ids, _ in asks:
                kept = [
                    bool((ids[question.passage.owner == w] != self.fill).all())
                    for w in range(count)
                ]
                found.append(np.asarray([float(truth[kept].sum())]))
            return found

    class Wrong:
        """Shares that miss half of the words."""

        name, signed = "wrong", True

        def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
            shares = np.where(np.arange(count) % 2, truth, -truth)
            return [Attribution("wrong", shares, True, gap=0.3, passes=1.0) for _ in questions]

    summed = Additive(subject.network, subject.head, subject.pad, subject.fill)
    missed = []
    for draws in (4, 12, 200):
        (found,) = Refined(Wrong(), draws).explain(summed, [question])
        assert found.scores.sum() == pytest.approx(truth.sum())
        assert found.gap == 0.0 and found.passes == draws + 3
        missed.append(float(np.abs(found.scores - truth).mean()))
    assert missed[2] < missed[1] < missed[0]
    assert missed[2] < 0.1


def test_attention_rows_are_shares(known: Known) -> None:
    subject, questions = known
    layers = attentions(subject, questions[0].passage.ids)
    assert layers.ndim == 4 and layers.shape[0] == 3
    np.testing.assert_allclose(layers.sum(-1), 1.0, atol=1e-5)


def test_a_kernel_that_shows_nothing_is_named(
    classifier: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, questions = classifier
    backbone = subject.network.backbone

    def refuse(kind: str) -> None:
        raise ValueError("no eager attention here")

    monkeypatch.setattr(backbone, "set_attn_implementation", refuse)
    with pytest.raises(FixModel, match="no eager attention"):
        member_of("rollout", False).explain(subject, questions[:1])


def test_words_of_many_pieces_are_not_favoured() -> None:
    passage = Passage("ab cd", np.arange(5), ((0, 2), (3, 5)), np.asarray([-1, 0, 0, 1, -1]))
    tokens = np.asarray([0.5, 1.0, 1.0, 1.5, 0.25])
    signed, rest = by_word(tokens, passage, True)
    assert signed.tolist() == [2.0, 1.5] and rest == 0.75
    largest, rest = by_word(tokens, passage, False)
    assert largest.tolist() == [1.0, 1.5] and rest == 0.5


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(FixRecipe, match="did you mean 'occlusion'"):
        member_of("oclusion", False)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_words_is_refused(text: str, bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    with pytest.raises(FixData, match="empty"):
        passages_of([text], bench.contract, "here")


@pytest.mark.parametrize("writes", [True, False])
def test_what_stands_in_for_a_measured_method_says_for_and_against(writes: bool) -> None:
    assert member_of(unmeasured(writes), writes).signed


def test_every_member_is_one_of_the_protocol() -> None:
    for member in members(True).values():
        checked: Attributor = member
        assert checked.name
    empty = Attribution("x", np.zeros(2), True)
    assert empty.order == [0, 1]


@pytest.mark.parametrize(("words", "passes"), [(3, 9), (20, 21), (90, 31)])
def test_longer_texts_get_more_draws_up_to_a_bound(
    words: int, passes: int, classifier: Known
) -> None:
    subject, questions = classifier
    passage = questions[0].passage
    ids = np.resize(passage.ids[1:-1], words)
    spans = tuple((i, i + 1) for i in range(words))
    question = Question(Passage("x" * words, ids, spans, np.arange(words)))
    method = AblationRegression(draws=8, most=30)
    (found,) = method.explain(subject, [question])
    assert found.passes == passes


def test_the_same_numbers_as_captum(classifier: Known) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is the oracle of this test")
    subject, questions = classifier
    for question in questions[:4]:
        passage = question.passage
        empty = passage.masked(range(len(passage.words)), subject.fill)
        begin, end = subject.entering([empty, passage.ids])

        def score(inputs: torch.Tensor, question: Question = question) -> torch.Tensor:
            mask = torch.ones(inputs.shape[:2], dtype=torch.long)
            top = subject.network.backbone
            from luthier.models.layers import find_stack, upper_part

            hidden = upper_part(top, find_stack(top), 0)(
                inputs_embeds=inputs, attention_mask=mask
            ).last_hidden_state
            scores = subject.network.read(hidden.mean(1))
            others = [c for c in range(scores.shape[1]) if c != question.target]
            return scores[:, question.target] - torch.logsumexp(scores[:, others], 1)

        theirs = attr.IntegratedGradients(score).attribute(
            end[None], begin[None], n_steps=12, method="gausslegendre"
        )
        words, _ = by_word(theirs[0].sum(-1).detach().double().numpy(), passage, True)
        (ours,) = IntegratedGradients(12, 0.0, 0).explain(subject, [question])
        np.testing.assert_allclose(ours.scores, words, atol=1e-4)
