"""Rates, ranks and findings of groups, on answers whose bias is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from luthier.core.errors import FixData
from luthier.explain.attribution import Attribution, Passage
from luthier.explain.bias.finding import Finding, corrected, looked_at
from luthier.explain.bias.flips import flips
from luthier.explain.bias.groups import by_terms, by_values, measured
from luthier.explain.bias.mass import mass
from luthier.explain.bias.probe import Carrier, Probe, swaps
from luthier.explain.bias.probed import probed
from luthier.explain.bias.ranks import BNSP, BPSN, SUBGROUP, area, areas
from luthier.explain.bias.rates import interval_of, weights_of
from luthier.explain.bias.stereotypes import Pair, preferences, read_pairs
from luthier.explain.bias.terms import Template, read_terms


def _chances(flagged: np.ndarray) -> np.ndarray:
    share = np.where(flagged, 0.9, 0.1)
    return np.stack([1 - share, share], 1)


def _probe(words: int, negatives: int, positives: int) -> Probe:
    sides = [False] * negatives + [True] * positives
    carriers = [Carrier(Template("{noun}", "noun", True, harmful)) for harmful in sides]
    names = tuple(f"word{i}" for i in range(words))
    return Probe(names, tuple(carriers), tuple("x" for _ in range(words * len(carriers))))


def test_fped_adds_up_the_distances_of_each_word() -> None:
    probe = _probe(4, 40, 40)
    flagged = np.zeros((80, 4), bool)
    flagged[40:] = True
    flagged[:20, 0] = True
    seen = probed(probe, _chances(flagged.reshape(-1)), [1], 200, 0)
    # One word is wrongly flagged half the time, so everybody is one time in eight.
    assert seen.fped[0] == pytest.approx(0.375 + 3 * 0.125)
    assert seen.fned[0] == 0
    assert seen.odds[0] == pytest.approx(0.5)
    told = corrected(seen.findings("here"))
    assert [f.group for f in told if f.verdict == "found" and f.value and f.value > 0] == ["word0"]
    assert all(f.verdict == "not found" for f in told if "negative" in f.measure)


def test_answers_that_ignore_the_word_have_no_difference() -> None:
    probe = _probe(5, 40, 40)
    flagged = np.repeat(np.random.default_rng(0).random(80) < 0.5, 5)
    seen = probed(probe, _chances(flagged), [1], 200, 0)
    assert seen.fped.max() == 0 and seen.fned.max() == 0
    assert {f.verdict for f in corrected(seen.findings("here"))} == {"not found"}


def test_a_group_with_three_rows_and_one_that_never_occurs_cannot_be_judged() -> None:
    texts = ["a gay man"] * 3 + ["a woman"] * 80 + ["somebody"] * 100
    truth = np.arange(183) % 2
    found = measured(
        by_terms(texts, read_terms()), truth, _chances(truth == 1), [1], 200, 0
    ).findings
    by_group = {f.group: f for f in found if f.measure == "false positive rate"}
    assert by_group["gay"].verdict == "cannot say"
    assert by_group["gay"].why == "2 of its 3 rows are of this kind, 30 are needed"
    assert by_group["muslim"].why == "it never occurs"
    assert by_group["woman"].p_value is not None


def test_groups_by_a_column_find_the_one_that_is_wrongly_flagged() -> None:
    dice = np.random.default_rng(1)
    values = [None if i % 7 == 0 else "ab"[i % 2] for i in range(800)]
    truth = dice.integers(0, 2, 800)
    member = np.asarray([v == "a" for v in values])
    flagged = (truth == 1) | (member & (dice.random(800) < 0.3))
    found = measured(by_values(values), truth, _chances(flagged), [1], 300, 0)
    told = {(f.group, f.measure): f for f in corrected(found.findings)}
    worse = told["a", "false positive rate"]
    assert worse.verdict == "found" and worse.value is not None and worse.value > 0.1
    assert told["a", "false negative rate"].verdict == "not found"
    assert worse.low is not None and worse.high is not None and worse.low < worse.value < worse.high
    assert found.sums["equalised_odds"]["value"] > 0.2
    assert set(found.ranks["a"]) == {SUBGROUP, BPSN, BNSP}


def test_areas_are_those_of_scikit_learn_with_ties_and_weights() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference")
    dice = np.random.default_rng(2)
    scores, truth = dice.integers(0, 6, 200) / 5.0, dice.random(200) < 0.4
    member = dice.random(200) < 0.5
    weights = weights_of(200, 3, 0)
    for line, got in zip(weights, area(scores, weights * truth, weights * ~truth), strict=True):
        wanted = metrics.roc_auc_score(truth, scores, sample_weight=line)
        assert got == pytest.approx(wanted)
    kept = {BPSN: np.where(member, ~truth, truth), BNSP: np.where(member, truth, ~truth)}
    kept[SUBGROUP] = member
    found = areas(scores, truth, member, weights[:1])
    for name, keep in kept.items():
        assert found[name][0] == pytest.approx(metrics.roc_auc_score(truth[keep], scores[keep]))


def test_rates_by_group_are_those_of_fairlearn() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics", reason="the reference")
    dice = np.random.default_rng(3)
    truth, decided = dice.integers(0, 2, 400), dice.integers(0, 2, 400)
    values = ["abc"[i % 3] for i in range(400)]
    ours = measured(by_values(values), truth, _chances(decided == 1), [1], 100, 0)
    theirs = fairlearn.equalized_odds_difference(truth, decided, sensitive_features=values)
    assert ours.sums["equalised_odds"]["value"] == pytest.approx(theirs)


def test_holm_keeps_the_chance_of_a_false_alarm_low() -> None:
    dice = np.random.default_rng(4)
    alarms = 0
    for _ in range(60):
        findings = []
        for group in range(20):
            rows = dice.normal(0, 1, 50)
            draws = weights_of(50, 200, int(dice.integers(1 << 30))) @ rows / 50
            findings.append(looked_at("mean", str(group), 50, draws))
        alarms += any(f.verdict == "found" for f in corrected(findings))
    assert alarms <= 9


def test_what_can_be_certified_shrinks_with_rows_and_grows_with_tests() -> None:
    def least(rows: int, tests: int) -> float:
        values = np.random.default_rng(5).normal(0, 1, rows)
        draws = weights_of(rows, 400, 0) @ values / rows
        found: list[Finding] = corrected([looked_at("mean", "g", rows, draws)] * tests)
        assert found[0].certifiable is not None
        return found[0].certifiable

    assert least(900, 1) < least(100, 1) < least(100, 20)


def test_exchanges_that_turn_the_answer_are_counted_by_axis() -> None:
    texts = [f"the gay person {i}" for i in range(40)] + ["a man", "a woman"]
    found = swaps(texts, read_terms())
    before = _chances(np.ones(len(found), bool))
    after = _chances(np.asarray([swap.new != "straight" for swap in found]))
    told = flips(found, before, after, [1], 200, 0)
    each = len({swap.new for swap in found if swap.axis == "orientation"})
    assert told["orientation"]["flip_rate"]["value"] == pytest.approx(1 / each)
    assert told["orientation"]["score_gap"]["value"] == pytest.approx(0.8 / each)
    assert told["gender"] == {"rows": 2, "why": "2 rows say a word of it, 30 are needed"}


def test_the_share_of_scores_on_words_of_groups() -> None:
    text = "a gay friend came"
    words = ((0, 1), (2, 5), (6, 12), (13, 17))
    passage = Passage(text, np.arange(4), words, np.arange(4))
    one = Attribution("m", np.asarray([0.0, 3.0, -1.0, 0.0]), True)
    told = mass([passage] * 30, [one] * 30, read_terms(), 100, 0)
    assert told["share"]["value"] == pytest.approx(0.75)
    assert told["share_of_words"]["value"] == pytest.approx(0.25)
    assert mass([passage] * 3, [one] * 3, read_terms(), 100, 0)["rows"] == 3
    assert "share" not in mass([passage] * 3, [one] * 3, read_terms(), 100, 0)


def test_pairs_are_read_turned_round_and_weighed(tmp_path: Path) -> None:
    rows = [{"text": "more", "text_alt": "less", "group": "g"}] * 40
    rows += [{"text": "less", "text_alt": "more", "label": "antistereo", "group": "h"}]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pairs = read_pairs(file)
    assert pairs[0] == Pair("more", "less", "g") and pairs[-1] == Pair("more", "less", "h")
    told = preferences(pairs, np.ones(41), np.zeros(41), 200, 0)
    assert told["preferred"]["value"] == pytest.approx(1) == told["nats"]["value"]
    (first, second) = told["findings"]
    assert first["verdict"] == "found"
    assert second["verdict"] == "cannot say" and "1 of its 1 rows" in second["why"]
    assert first["rows"] == 40
    file.write_text('{"text": "only one"}', encoding="utf-8")
    with pytest.raises(FixData, match="row 1: 'text_alt' is missing"):
        read_pairs(file)


def test_an_interval_always_holds_its_point() -> None:
    found = interval_of(np.asarray([0.0, 0.5, 0.6, 0.7]))
    assert found.low == 0.0 and found.value == 0.0 and found.high > 0.5
