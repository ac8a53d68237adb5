"""The choice of a rung: evidence before change, nothing without it, and every number kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from fewshot_rows import LABELS, asked, known
from luthier.core.errors import FixData
from luthier.core.progress import Silence
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.choosing.choose import choose, telling
from luthier.fewshot.choosing.evidence import CREDIT_WINS, Bench, Credit, Gain
from luthier.fewshot.choosing.sureness import abstention_of, shift_of, temperature_of
from luthier.fewshot.folds import Cut, make_folds
from luthier.fewshot.forms.centred import Centred
from luthier.fewshot.rung import Asked, Known
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.family import FROZEN
from luthier.fewshot.rungs.linear import Described, LinearProbe
from luthier.fewshot.rungs.zero import ZeroShot


@dataclass(frozen=True)
class Turned:
    """Answers of the described probe, turned to the next class for texts whose class is `wrong`."""

    wrong: tuple[int, ...]
    truth: dict[str, int]
    name: str = "turned"
    order: int = 9

    def refusal(self, known: Known) -> str:
        """Never refuses."""
        return ""

    def fit(self, known: Known) -> _Answers:
        """Reads nothing."""
        return _Answers(self.wrong, self.truth)


@dataclass(frozen=True)
class _Answers:
    wrong: tuple[int, ...]
    truth: dict[str, int]

    def probabilities(self, asked: Asked) -> FloatArray:
        found = np.full((len(asked), len(LABELS)), 0.05)
        for place, text in enumerate(asked.texts):
            true = self.truth[text]
            found[place, (true + 1) % 3 if true in self.wrong else true] = 0.9
        return found

    def arrays(self) -> dict[str, FloatArray]:
        return {}

    def about(self) -> dict[str, str]:
        return {"form": "answers"}


def _turned(given: Known, *wrong: int) -> Turned:
    return Turned(wrong, dict(zip(given.rows.texts, given.truth.tolist(), strict=True)))


def test_without_labels_it_is_zero_shot() -> None:
    choice = choose(replace(known(0), blank=None), FROZEN, "accuracy", Silence())
    assert choice.rung == "zero-shot"
    assert choose(known(0), FROZEN, "accuracy", Silence()).rung == "worded", "the base writes"
    assert choice.scores == () and choice.abstention is None
    assert {d.rung for d in choice.decisions} == {rung.name for rung in FROZEN[1:]}


def test_with_very_few_rows_nothing_is_chosen_by_scores() -> None:
    given = known(3)
    assert not telling(given)
    choice = choose(given, (*FROZEN, _turned(given)), "accuracy", Silence())
    assert choice.rung == "stacked"
    assert all(not d.accepted and d.gain is None for d in choice.decisions)


def test_a_rung_that_is_plainly_better_is_taken() -> None:
    given = known(20)
    rungs = (ZeroShot(), Described(), _turned(given))
    choice = choose(given, rungs, "accuracy", Silence())
    assert choice.rung == "turned"
    last = choice.decisions[-1]
    assert last.accepted and last.gain is not None and last.gain.chance >= 0.9
    assert {score.rung for score in choice.scores} == {"zero-shot", "described probe", "turned"}


def test_an_equal_rung_is_not_taken() -> None:
    given = known(20)
    twin = replace(LinearProbe(), name="twin", order=8)
    choice = choose(given, (LinearProbe(), twin), "accuracy", Silence())
    assert choice.rung == "linear probe"
    assert "no proof" in choice.decisions[0].reason


def test_a_better_rung_that_loses_a_class_is_refused() -> None:
    # Two hard classes become right, one that was right becomes wrong.
    given = known(40)
    weak = _turned(given, 0, 1)
    strong = replace(_turned(given, 2), name="strong", order=10)
    choice = choose(given, (weak, strong), "accuracy", Silence())
    assert choice.rung == "turned"
    assert "'weather' would lose 100.0 points of recall" in choice.decisions[0].reason


def test_everything_is_ready_for_json() -> None:
    told = json.loads(json.dumps(choose(known(10), FROZEN, "macro_f1", Silence()).as_dict()))
    assert told["metric"] == "macro_f1" and told["counts"] == dict.fromkeys(LABELS, 10)
    assert all(score["low"] <= score["value"] <= score["high"] for score in told["scores"])
    assert len(told["decisions"]) == len(FROZEN) - 1


def test_no_allowed_rung_can_be_tried() -> None:
    with pytest.raises(FixData, match="linear probe"):
        choose(known(0), (LinearProbe(),), "accuracy", Silence())


def test_rows_of_a_group_are_held_out_together() -> None:
    given = replace(known(12), groups=np.repeat(np.arange(12), 3))
    for fold in make_folds(given, 1):
        assert given.groups is not None
        assert not set(given.groups[fold.learn]) & set(given.groups[fold.check])
    bench = Bench([Cut(given, 1)], "accuracy", 0)
    alone = Bench([Cut(replace(given, groups=None), 1)], "accuracy", 0)
    assert bench.judged(Described()).sums.shape[0] == 12
    assert alone.judged(Described()).sums.shape[0] == 36


def test_rows_that_no_person_labelled_teach_and_never_judge() -> None:
    given = known(8)
    taught = np.arange(24) % 3 == 0
    texts = list(given.rows.texts)
    texts[3] = texts[4]
    given = replace(given, taught=taught, rows=Asked(texts, given.rows.vectors))
    folds = make_folds(given, 1)
    held = np.concatenate([fold.check for fold in folds])
    assert sorted(held) == np.flatnonzero(~taught).tolist()
    for fold in folds:
        free = set(np.flatnonzero(taught)) - ({3} if 4 in fold.check else set())
        assert free <= set(fold.learn) and not set(fold.learn) & set(fold.check)
        assert not (4 in fold.check and 3 in fold.learn)
    assert make_folds(replace(given, taught=np.ones(24, bool)), 1) == []
    choice = choose(replace(given, taught=np.ones(24, bool)), FROZEN, "accuracy", Silence())
    assert choice.rung == "stacked" and choice.checked is None


def test_one_text_with_two_labels_stays_in_one_fold() -> None:
    given = known(8)
    texts = ["the very same words"] * 2 + list(given.rows.texts)[2:]
    given = replace(given, rows=Asked(texts, given.rows.vectors))
    for fold in make_folds(given, 2):
        assert (0 in fold.check) == (1 in fold.check)


def test_a_prior_moves_answers_towards_frequent_classes() -> None:
    given = replace(known(10), prior=np.array([0.9, 0.05, 0.05]))
    plain = choose(known(10), (Described(),), "accuracy", Silence()).fitted
    moved = choose(given, (Described(),), "accuracy", Silence()).fitted
    rows = asked(30, 9)[0]
    assert moved.probabilities(rows)[:, 0].sum() > plain.probabilities(rows)[:, 0].sum()
    np.testing.assert_allclose(shift_of(np.array([4, 4]), np.array([0.5, 0.5])), 0, atol=1e-9)


def test_temperature_makes_sure_answers_as_sure_as_they_are_right() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 2000)
    said = np.where(random.random(2000) < 0.7, truth, 1 - truth)
    chances = np.full((2000, 2), 0.02)
    chances[np.arange(2000), said] = 0.98
    heat = temperature_of(chances, truth)
    sure = 1 / (1 + (0.02 / 0.98) ** (1 / heat))
    assert sure == pytest.approx(0.7, abs=0.03)
    assert temperature_of(chances[:0], truth[:0]) == 1.0


@pytest.mark.parametrize("risk", [0.15, 0.2])
def test_the_promise_of_abstaining_holds_as_often_as_stated(risk: float) -> None:
    broken, made = 0, 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        sure = random.uniform(0.5, 1, 300)
        right = random.random(300) < sure
        chances = np.stack([sure, 1 - sure], axis=1)
        found = abstention_of(chances, np.where(right, 0, 1), risk)
        if found is None:
            continue
        made += 1
        # The score is uniform from 0.5 to 1, so above s an answer is wrong in (1 - s) / 2 of cases.
        broken += (1 - max(found.score, 0.5)) / 2 > risk
    assert made > 20
    # At most one in ten may break it; 200 draws leave room for chance.
    assert broken / 200 <= 0.16


def test_too_few_rows_promise_nothing() -> None:
    chances = np.tile([0.99, 0.01], (99, 1))
    assert abstention_of(chances, np.zeros(99, int)) is None
    assert abstention_of(np.tile([0.99, 0.01], (120, 1)), np.zeros(120, int)) is not None


def test_the_centre_is_that_of_all_texts() -> None:
    given = known(4)
    fitted = ZeroShot().fit(given)
    assert isinstance(fitted, Centred)
    together = np.concatenate([given.pool.vectors, given.rows.vectors])
    np.testing.assert_allclose(fitted.centre, together.mean(axis=0))


def test_of_many_rungs_the_luckiest_is_not_taken_for_better() -> None:
    lucky = Gain(0.03, 0.001, 0.06, 0.95, 0.02)
    assert lucky.proven(1) and not lucky.proven(9)
    assert Gain(0.03, 0.01, 0.06, 0.995, 0.02).proven(9)
    assert not Gain(0.0, -0.01, 0.01, 0.995, 0.02).proven(1)


def test_what_other_tasks_showed_decides_where_these_rows_are_few() -> None:
    credit = Credit(0.015, 0.012)
    few = Gain(-0.02, -0.08, 0.04, 0.3, 0.036).believed(credit, 48, 0.4)
    assert -0.02 < few.value < credit.mean and few.chance > CREDIT_WINS
    many = Gain(-0.02, -0.026, -0.014, 0.0, 0.004).believed(credit, 2000, 0.4)
    assert many.value < 0 and many.chance < 0.05
    level = [Gain(0.0, 0.0, 0.0, 0.0, 0.0).believed(credit, rows, 0.4) for rows in (20, 2000)]
    assert level[0].chance > level[1].chance, "the more rows show no difference, the less is due"
    assert all(found.low < found.value < found.high for found in (few, many, *level))
    perfect = Gain(0.0, 0.0, 0.0, 0.0, 0.0).believed(credit, 20, 0.0)
    assert perfect.chance < CREDIT_WINS, "nothing is left to gain"


def test_a_credit_is_less_over_a_rung_that_has_one_itself() -> None:
    def reason(credit: Credit | None) -> str:
        held = replace(Stacked(), credit=credit)
        later = replace(Stacked("later", 7), prior=(0.25, 1.4, 1.0), credit=Credit(0.05, 0.01))
        choice = choose(known(12), (held, later), "accuracy", Silence())
        return next(d.reason for d in choice.decisions if d.rung == "later")

    assert "+5.0 points" in reason(None)
    assert "+2.0 points" in reason(Credit(0.03, 0.01))
    assert "+5.0 points" in reason(Credit(0.03, 0.01, per_class=13)), "it has none yet"
