"""History, curves and residual together on made-up families of tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_tasks import ROWS, SPACE, Made, family, poisoned, turned

from luthier.search.models.freezethaw import FreezeThaw
from luthier.search.trial import Trial

TASKS = family(6)
RECORDS = [task.record(40) for task in TASKS]
UNITS_OF = (16, 16, 4, 4, 8, 2, 1, 4)


def model(number: int = 0, past=None, **options) -> FreezeThaw:
    task = TASKS[number]
    rest = RECORDS[:number] + RECORDS[number + 1 :] if past is None else past
    return FreezeThaw(SPACE, task.scale, rest, task.features, ROWS, **options)


def trials_of(task: Made, count: int, seed: int = 0) -> list[Trial]:
    configs = [SPACE.default, *SPACE.draw(np.random.default_rng(seed), count - 1)]
    return [task.trial(f"t{i}", c, i, UNITS_OF[i % 8]) for i, c in enumerate(configs)]


def regret(posterior: FreezeThaw, task: Made, seed: int = 9) -> float:
    configs = SPACE.draw(np.random.default_rng(seed), 256)
    truth = np.asarray([task.final(c) for c in configs])
    mean = posterior.of_configs(configs).mean
    # Of equally ranked ones, any may be taken.
    return float(truth.max() - truth[mean >= mean.max() - 1e-9].mean())


def test_history_ranks_well_before_anything_is_seen():
    tasks = (0, 2, 4)
    informed = [regret(model(n), TASKS[n]) for n in tasks]
    blind = [regret(model(n, past=()), TASKS[n]) for n in tasks]
    assert np.mean(informed) < 0.5 * np.mean(blind)


def test_a_permuted_history_has_no_weight_after_eight_trials():
    bad = [poisoned(r, i) for i, r in enumerate(RECORDS[1:])]
    posterior = model(past=bad)
    posterior.fit(trials_of(TASKS[0], 8))
    assert sum(posterior.weights.values()) < 0.2


def test_a_turned_history_is_unlearnt():
    posterior = model(past=[turned(r) for r in RECORDS[1:]])
    assert regret(posterior, TASKS[0]) > 0.3
    posterior.fit(trials_of(TASKS[0], 32))
    assert sum(posterior.weights.values()) < 0.1
    assert regret(posterior, TASKS[0]) < 0.15


def test_intervals_of_untried_configurations_cover():
    inside = []
    for number in (0, 3, 5):
        posterior, task = model(number), TASKS[number]
        posterior.fit(trials_of(task, 12))
        configs = [c for c in SPACE.draw(np.random.default_rng(4), 100) if not task.diverges(c)]
        found = posterior.of_configs(configs)
        off = np.abs(np.asarray([task.final(c) for c in configs]) - found.mean)
        inside += list(off < 1.645 * found.deviation)
    assert 0.75 < np.mean(inside) < 0.99


def test_a_trial_is_believed_nearer_to_its_end_the_longer_its_curve():
    task, posterior = TASKS[2], model(2)
    config = SPACE.default
    widths = []
    for unit in (1, 4, 16):
        trial = task.trial("t", config, 3, unit)
        posterior.fit([trial])
        widths.append(float(posterior.of_trials([trial]).deviation[0]))
    assert widths == sorted(widths, reverse=True)
    shown = float(task.scale.relative(trial.curve[-1].score))
    assert posterior.of_trials([trial]).mean[0] == pytest.approx(shown, abs=0.05)


def test_a_new_point_counts_before_the_next_fit():
    task, posterior = TASKS[2], model(2)
    posterior.fit(trials_of(task, 6))
    unseen = task.trial("new", SPACE.at(np.full(6, 0.6)), 5)
    expected = posterior.of_configs([unseen.config]).mean[0]
    shown = float(task.scale.relative(unseen.curve[-1].score))
    found = posterior.of_trials([unseen]).mean[0]
    assert abs(found - shown) <= abs(expected - shown)
    waiting = Trial("waiting", unseen.config, "random")
    assert posterior.of_trials([waiting]).mean[0] == pytest.approx(expected, abs=1e-6)


def test_diverged_trials_teach_that_high_rates_diverge():
    task, posterior = TASKS[0], model(past=())
    trials = [t for t in trials_of(task, 10, seed=2) if t.status != "diverged"]
    high = SPACE.but(SPACE.default, "rate", 1.5)
    posterior.fit(trials)
    before = posterior.of_configs([high]).mean[0]
    lost = Trial("lost", SPACE.but(SPACE.default, "rate", 1.4), "random", status="diverged")
    posterior.fit([*trials, lost])
    assert posterior.of_configs([high]).mean[0] < before
    believed = posterior.of_trials([*trials, lost]).mean
    assert believed[-1] < believed[:-1].min()


def test_parts_can_be_switched_off():
    trials = trials_of(TASKS[0], 10)
    found = []
    for options in ({}, {"history": False}, {"curve": False}):
        posterior = model(**options)
        posterior.fit(trials)
        belief = posterior.of_trials(trials)
        assert np.isfinite(belief.mean).all() and (belief.deviation > 0).all()
        found.append(belief.mean)
    assert not np.allclose(found[0], found[1]) and not np.allclose(found[0], found[2])
    assert model(history=False).weights == {}


def test_trials_without_a_finite_score_are_left_aside():
    posterior = model()
    empty = Trial("empty", SPACE.default, "default")
    failed = Trial("failed", SPACE.default, "default", status="failed")
    posterior.fit([empty, failed])
    assert np.isfinite(posterior.of_trials([empty, failed]).mean).all()
    assert posterior.of_trials([]).mean.shape == (0,)
    assert posterior.of_configs([]).mean.shape == (0,)


def test_skipped_past_trials_are_counted():
    record = RECORDS[1]
    strange = record.trials[0].__class__({**SPACE.default, "depth": "half"}, (), diverged=True)
    changed = record.__class__(**{**record.__dict__, "trials": (*record.trials, strange)})
    assert model(past=[changed]).skipped == {record.id: 1}


def test_the_same_trials_give_the_same_beliefs():
    trials, configs = trials_of(TASKS[1], 9), SPACE.spread(8)
    first, second = model(1), model(1)
    first.fit(trials)
    second.fit(trials)
    np.testing.assert_array_equal(first.of_configs(configs).mean, second.of_configs(configs).mean)


def test_what_is_believed_of_one_candidate_narrows_it():
    posterior, trials = model(), trials_of(TASKS[0], 8)
    posterior.fit(trials)
    configs = SPACE.draw(np.random.default_rng(1), 60)
    narrow = posterior.believing([configs[0]]).of_configs(configs[:1]).deviation
    assert narrow[0] < posterior.of_configs(configs[:1]).deviation[0]
    assert posterior.draws(configs, 5, np.random.default_rng(0)).shape == (5, 60)


def test_a_clone_says_nothing_of_its_configuration_alone():
    task, posterior = TASKS[0], model()
    plain = trials_of(task, 6)
    posterior.fit(plain)
    near = SPACE.draw(np.random.default_rng(3), 1)
    before = posterior.of_configs(near).mean
    clone = task.trial("clone", near[0], 9, 16)
    clone.parent = "t0"
    clone.curve = [replace(o, score=0.999) for o in clone.curve]
    posterior.fit([*plain, clone])
    assert np.allclose(posterior.of_configs(near).mean, before)
    of_clone = posterior.of_trials([clone])
    assert of_clone.mean[0] > posterior.of_trials(plain).mean.max()
    young = replace(clone, curve=clone.curve[:1])
    assert posterior.of_trials([young]).deviation[0] > of_clone.deviation[0]
