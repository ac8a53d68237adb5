"""Past tasks in the present space, how alike they are, and the mixture over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_tasks import SPACE, family, poisoned, turned

from luthier.search.history.record import PastPoint, PastTrial
from luthier.search.models.affinity import affinities
from luthier.search.models.gp import GaussianProcess, Observed
from luthier.search.models.matern import Kernel
from luthier.search.models.past import fitted, past_model, project
from luthier.search.models.ranking import ranking_shares
from luthier.search.models.transfer import blend, library
from luthier.search.parameter import Choice, Range
from luthier.search.space import Space

TASKS = family(6)
RECORDS = [task.record(40) for task in TASKS]


def test_a_value_outside_is_brought_to_the_nearest_one_inside():
    config = {**SPACE.default, "rate": 4.0, "batch": 24, "rank": 256, "decay": 0.0}
    found = fitted(config, SPACE)
    assert found is not None
    assert found["rate"] == 1.5 and found["rank"] == 32 and found["decay"] == 1e-4
    assert found["batch"] in (16, 32)


def test_a_missing_parameter_gets_the_default_and_an_unknown_one_is_left_out():
    found = fitted({"rate": 0.5, "colour": "red"}, SPACE)
    assert found == {**SPACE.default, "rate": 0.5}


@pytest.mark.parametrize("bad", [{"depth": "half"}, {"rate": "high"}, {"rate": float("nan")}])
def test_a_value_that_cannot_be_read_skips_the_trial(bad):
    record = RECORDS[0]
    trials = (replace(record.trials[0], config={**SPACE.default, **bad}), *record.trials[1:])
    found = project(replace(record, trials=trials), SPACE)
    assert found.skipped == 1 and len(found.trials) == len(record.trials) - 1


def test_a_record_without_an_anchor_is_skipped_whole():
    found = project(replace(RECORDS[0], anchor=float("nan")), SPACE)
    assert found.skipped == len(RECORDS[0].trials) and len(found.seen) == 0


def test_a_diverged_trial_lies_below_every_finished_one():
    found = project(replace(TASKS[0], rate=-0.7).record(40), SPACE)
    lost = np.asarray([t.diverged for t in found.trials])
    assert 0 < lost.sum() < len(lost)
    assert found.seen.values[lost].max() < found.seen.values[~lost].min()


def test_young_trials_are_skipped_and_unfinished_ones_are_trusted_less():
    def trial(unit: int) -> PastTrial:
        return PastTrial(SPACE.default, (PastPoint(unit, 0.7, 1.0, 1.0, 1.0),))

    record = replace(RECORDS[0], trials=(trial(2), trial(8), trial(16)))
    found = project(record, SPACE)
    assert found.skipped == 1
    assert found.seen.noise[0] > 2 * found.seen.noise[1]


def test_what_all_trials_of_a_task_share_tells_nothing_of_its_value():
    batch = SPACE.names[1]
    assert SPACE.default[batch] != 8

    def trial(rate: float, size: int) -> PastTrial:
        config = {**SPACE.default, SPACE.names[0]: rate, batch: size}
        return PastTrial(config, (PastPoint(16, 0.7, 1.0, 1.0, 1.0),))

    rates = (-0.4, -0.2, 0.0, 0.2)
    alike = project(replace(RECORDS[0], trials=tuple(trial(r, 8) for r in rates)), SPACE)
    np.testing.assert_allclose(
        alike.seen.inputs, SPACE.encode([trial(r, SPACE.default[batch]).config for r in rates])
    )
    varied = (*(trial(r, 8) for r in rates), trial(0.3, 32))
    mixed = project(replace(RECORDS[0], trials=varied), SPACE)
    np.testing.assert_allclose(mixed.seen.inputs, SPACE.encode([t.config for t in varied]))


def test_a_model_is_fitted_once_but_not_kept_for_other_values():
    first = past_model(RECORDS[0], SPACE)
    assert past_model(replace(RECORDS[0]), SPACE) is first
    assert past_model(poisoned(RECORDS[0]), SPACE) is not first
    narrow = Space((Range("rate", -1.0, 1.0, 0.0, 0.3), Choice("batch", (8, 32), (1, 1), 32)))
    assert past_model(RECORDS[0], narrow).process.seen.inputs.shape[1] == 2


def test_permuted_curves_have_no_quality():
    assert past_model(RECORDS[0], SPACE).quality > 0.3
    assert np.mean([past_model(poisoned(r, i), SPACE).quality for i, r in enumerate(RECORDS)]) < 0.1


def test_too_few_trials_make_no_process():
    model = past_model(replace(RECORDS[0], trials=RECORDS[0].trials[:3]), SPACE)
    assert model.process is None and model.quality == 0


def test_like_tasks_count_more():
    features = RECORDS[0].features
    found = affinities(features, RECORDS)
    assert found[0] == pytest.approx(1.0) and found.argmax() == 0
    assert (found > 0).all()


def test_the_number_of_classes_counts_most():
    few, many = {"log_labels": 1.0, "probe": 0.9}, {"log_labels": 4.0, "probe": 0.5}
    records = [replace(RECORDS[0], features=f) for f in (few, many)]
    found = affinities({"log_labels": 1.0, "probe": 0.5}, records)
    assert found[0] > found[1], "the probe outweighed the classes"


def test_missing_features_neither_help_nor_break():
    records = [replace(RECORDS[0], features={}), RECORDS[1], RECORDS[2]]
    found = affinities({**RECORDS[1].features, "probe": float("nan")}, records)
    assert np.isfinite(found).all()
    assert found[0] < found[1]


def test_another_scale_takes_no_part_and_another_kind_less():
    records = [RECORDS[0], replace(RECORDS[0], share=False), replace(RECORDS[0], kind="answer")]
    found = affinities({}, records, "classify")
    assert found[1] == 0
    assert found[2] == pytest.approx(0.25 * found[0])
    assert affinities({}, records)[2] == affinities({}, records)[0]


def line(slope: float, count: int = 12) -> GaussianProcess:
    inputs = np.linspace(0, 1, count)[:, None]
    seen = Observed(inputs, slope * inputs[:, 0], np.full(count, 0.05))
    return GaussianProcess(Kernel(np.asarray([1.0])), seen)


def test_a_model_that_ranks_the_wrong_way_is_dropped():
    shares = ranking_shares([line(1.0), line(-1.0)], line(2.0, 9))
    assert shares.sum() == pytest.approx(1.0)
    assert shares[1] == 0
    assert shares[0] > 0.2


def test_before_anything_is_seen_likeness_alone_decides():
    task = TASKS[0]
    past, _ = library(SPACE, RECORDS[1:], task.features, "", True)
    mixture = blend(past, Observed(np.zeros((0, SPACE.width)), np.zeros(0), np.zeros(0)))
    np.testing.assert_allclose(mixture.weights, past.affinity / past.affinity.sum())
    assert mixture.own == 0


def observed(count: int) -> Observed:
    random = np.random.default_rng(3)
    task = replace(TASKS[0], gain=1.2)
    configs = [c for c in SPACE.draw(random, 3 * count) if not task.diverges(c)][:count]
    values = np.asarray([task.final(c) for c in configs]) + 0.03 * random.normal(size=count)
    return Observed(SPACE.encode(configs), values, np.full(count, 0.03))


def test_misleading_tasks_lose_their_weight():
    records = [turned(r) for r in RECORDS[1:]]
    past, _ = library(SPACE, records, TASKS[0].features, "", True)
    own = [blend(past, observed(count)).own for count in (1, 12, 40)]
    assert own[0] < 0.5
    assert own[1] > 0.8
    assert own[2] > 0.95


def test_a_past_task_is_moved_to_the_present_level():
    past, _ = library(SPACE, RECORDS[1:], TASKS[0].features, "", True)
    seen = observed(12)
    mixture = blend(past, Observed(seen.inputs, seen.values + 2.0, seen.noise))
    mean, deviation = mixture.predict(seen.inputs)
    assert np.abs(mean - seen.values - 2.0).mean() < 0.2
    # Moments of a mixture are never narrower than its members agree.
    _, parts = zip(*(m.predict(seen.inputs) for m in mixture.members), strict=True)
    assert (deviation > np.minimum(np.min(parts, axis=0), mixture.target.predict(seen.inputs)[1])
            - 1e-9).all()  # fmt: skip
