"""The search on a made-up training: what it always does, whatever its models believe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_search import NAN, SPACE, Training, Two, controller, shown

from luthier.core.errors import FixRecipe
from luthier.core.seeds import derive
from luthier.search.deciding.track import Track
from luthier.search.problem import Rules
from luthier.search.sampler import Proposal
from luthier.search.samplers.simple import RATE
from luthier.search.study import MemoryLog
from luthier.search.trial import UNITS, Config, Observation, Outcome, Slice


@pytest.fixture(scope="module")
def searched() -> tuple[Any, Training]:
    """A whole search with a budget of eight runs."""
    training = Training()
    found = controller(training)
    found.run()
    return found, training


def test_the_default_goes_first_and_to_its_end(searched: tuple[Any, Training]) -> None:
    found, training = searched
    first = list(training.calls[:5])
    assert {p.trial for p in first} == {"t000"} and first[-1].until == UNITS
    assert found.trials[0].config == SPACE.default and found.trials[0].status == "finished"


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_is_better(seed: int) -> None:
    training = Training(best=0.7)
    found = controller(training, seed=seed)
    found.run()
    lead = found.incumbent
    assert lead.status == "finished"
    assert training.final(lead.config) > training.final(SPACE.default) + 0.03


def test_half_of_all_searches_find_what_is_little_better() -> None:
    found = 0
    for seed in range(4):
        training = Training(best=0.5)
        search = controller(training, seed=seed)
        search.run()
        gain = training.final(search.incumbent.config) - training.final(SPACE.default)
        found += search.incumbent.status == "finished" and gain > 0.03
    assert found >= 2


def test_nothing_is_frozen_young() -> None:
    found = controller(Training(), rules=Rules(worth=0.0))
    frozen = [t for t in found.run() if t.status == "frozen"]
    assert frozen and all(t.unit >= 4 and t.reason for t in frozen)


def test_the_budget_is_kept_up_to_one_slice(searched: tuple[Any, Training]) -> None:
    found, training = searched
    assert training.clock <= 8 * UNITS + UNITS / 2
    assert found.stopped


@pytest.mark.parametrize(
    "factor, budget, spent",
    [(6, "6x one run", False), (12, "12x one run", True), (6, f"{6 * UNITS}s", True)],
)
def test_twice_the_usual_budget_or_a_time_is_spent(factor: int, budget: str, spent: bool) -> None:
    training = Training(best=0.0)
    found = controller(training, budget)
    found.run()
    assert (training.clock >= 0.7 * factor * UNITS) == spent, found.stopped


def test_a_time_is_counted_by_the_clock_and_not_by_processor_time() -> None:
    training = Training(best=0.0)
    found = controller(training, f"{3 * UNITS}s")
    found.clock = lambda: training.clock / 2
    found.run()
    assert found.budget == pytest.approx(6, rel=0.1)
    assert training.clock >= 0.7 * 6 * UNITS, found.stopped


@pytest.mark.parametrize("budget, whole", [("6x one run", False), ("12x one run", True)])
def test_the_head_of_the_portfolio_is_trained_whole_with_much_to_spend(
    budget: str, whole: bool
) -> None:
    poor = {**SPACE.default, "rate_offset": -1.4}
    found = controller(Training(), budget, portfolio=[poor])
    assert Training().final(poor) < Training().final(SPACE.default) - 0.03
    second = found.run()[1]
    assert second.config == poor and (second.unit == UNITS) == whole


def test_what_shows_late_what_it_is_worth_is_trained_whole() -> None:
    slow, other = (SPACE.but(SPACE.default, RATE, at) for at in (0.9, -0.9))
    found = controller(Training(), "6x one run", opening=[other, slow], unhurried=[slow])
    trials = found.run()
    assert [t.config for t in trials[1:3]] == [other, slow]
    assert (trials[1].unit == UNITS, trials[2].unit == UNITS) == (False, True)
    assert [t.source for t in trials[1:3]] == ["portfolio", "opening"]


def test_a_resumed_search_keeps_what_it_promised() -> None:
    slow, log = SPACE.but(SPACE.default, RATE, -1.4), MemoryLog()

    def stop(piece: Slice, seen: Observation) -> Observation:
        if piece.config == slow and piece.until > 2:
            raise KeyboardInterrupt
        return seen

    with pytest.raises(KeyboardInterrupt):
        controller(Training(change=stop), "6x one run", log, opening=[slow], unhurried=[slow]).run()
    trials = controller(Training(), "6x one run", log, opening=[slow], unhurried=[slow]).run()
    assert trials[1].config == slow and trials[1].unit == UNITS


@pytest.mark.parametrize("budget", ["1 trial", "3 trials", "5 trials"])
def test_trials_are_counted(budget: str) -> None:
    found = controller(Training(), budget)
    assert len(found.run()) <= int(budget.split()[0])
    assert found.trials[0].status == "finished"


def test_a_budget_below_one_run_trains_the_default_alone() -> None:
    training = Training()
    found = controller(training, "3s")
    assert [t.status for t in found.run()] == ["finished"]
    assert training.clock == UNITS


def test_a_limit_in_seconds_counts_from_where_it_began() -> None:
    clocks = []
    for began in (None, -30.0):
        training = Training()
        found = controller(training, "60s")
        found.began = began
        found.run()
        clocks.append(training.clock)
    assert clocks[1] < clocks[0] and clocks[1] <= 30 + UNITS / 2


def test_the_default_is_trained_where_looking_at_the_task_took_the_budget() -> None:
    training = Training()
    found = controller(training, "60s")
    found.began = -100.0
    assert [t.status for t in found.run()] == ["finished"]
    assert training.clock == UNITS


def test_a_neighbour_of_what_is_under_way_promises_less(searched: tuple[Any, Training]) -> None:
    found, _ = searched
    config = SPACE.draw(np.random.default_rng(5), 1)[0]
    alone = found.standing.gains([], Proposal(config))
    assert found.standing.gains([], Proposal(config), [config])[0] < alone[0]


def test_the_same_seed_makes_the_same_search() -> None:
    one, other, third = (controller(Training(), "3x one run", seed=s) for s in (1, 1, 2))
    assert shown(one.run()) == shown(other.run()) != shown(third.run())


def test_two_at_once_never_share_a_trial() -> None:
    training = Training()
    found, two = controller(training, "5x one run"), Two(training)
    found.executor = two
    trials = found.run()
    assert two.most == 2 and not two.under_way
    for trial in trials:
        until = [p.until for p in training.calls if p.trial == trial.id]
        assert until == sorted(set(until))
    assert trials[0].status == "finished"


def test_two_at_once_keep_to_the_number_of_trials() -> None:
    training = Training()
    found = controller(training, "4 trials")
    found.executor = Two(training)
    assert len(found.run()) <= 4


def test_it_stops_when_nothing_is_to_be_gained() -> None:
    training = Training(best=0.0, gain=2.0)
    found = controller(training, "400x one run")
    found.run()
    assert training.clock < 100 * UNITS
    assert "expected to gain" in found.stopped


def test_a_frozen_trial_can_thaw() -> None:
    """A trial that looks bad until unit 4 is frozen; when the leader turns out worse, it goes on
    and sheds the reason."""
    found = controller(Training(), "3x one run")
    found.run()
    trial = next(t for t in found.trials[1:] if t.alive)
    trial.status, trial.reason = "frozen", "behind"
    found._busy.add(trial.id)
    seen = replace(trial.curve[-1], unit=UNITS, score=0.9, loss=0.1)
    found._take(Outcome(trial.id, seen))
    assert (trial.status, trial.reason) == ("finished", "")


@pytest.mark.parametrize("spoil", [{"score": NAN}, {"loss": NAN}, {"score": float("inf")}])
def test_a_score_that_is_no_number_ends_the_trial_and_nothing_else(spoil: dict[str, float]) -> None:
    bad: list[str] = []

    def change(piece: Slice, seen: Observation) -> Observation:
        if piece.trial in ("t001", "t003") and piece.until >= 2:
            bad.append(piece.trial)
            return replace(seen, **spoil)
        return seen

    found = controller(Training(change=change), "6x one run", rules=Rules(worth=0.0))
    trials = {t.id: t for t in found.run()}
    assert set(bad) == {"t001", "t003"} and len(bad) == 2
    for name in ("t001", "t003"):
        assert trials[name].status == "diverged" and not trials[name].curve
        assert "unit 2" in trials[name].reason
    assert np.isfinite([o.score for t in trials.values() for o in t.curve]).all()
    assert found.incumbent.id not in bad


def test_divergence_is_recorded_and_its_neighbourhood_left_alone() -> None:
    training = Training(best=0.4, ceiling=0.55)
    found = controller(training, "5x one run", rules=Rules(arms=("target", "prior"), worth=0.0))
    trials = found.run()
    lost = [t for t in trials if t.status == "diverged"]
    assert lost and all(not t.curve and t.reason for t in lost)
    assert all(float(t.config["rate_offset"]) > 0.55 for t in lost)
    high = found.posterior.of_configs([SPACE.but(SPACE.default, "rate_offset", 1.2)]).mean
    low = found.posterior.of_configs([SPACE.but(SPACE.default, "rate_offset", 0.3)]).mean
    assert high < low


def test_a_configuration_that_does_not_fit_is_never_begun() -> None:
    def misfit(config: Config) -> str | None:
        return "too large" if config["batch"] == 64 else None

    found = controller(Training(), "3x one run", misfit=misfit)
    assert all(t.config["batch"] != 64 for t in found.run())


def test_a_default_that_does_not_fit_is_refused() -> None:
    with pytest.raises(FixRecipe, match="too large"):
        controller(Training(), misfit=lambda config: "too large").run()


def test_the_leader_meets_the_conditions() -> None:
    def violation(seen: Observation) -> float:
        return max(0.0, seen.measures["memory_mb"] - 120)

    found = controller(Training(), "6x one run", violation=violation)
    found.run()
    assert float(found.incumbent.config["batch"]) <= 16


def test_a_worker_that_dies_costs_a_slice_and_three_times_the_trial() -> None:
    training = Training()

    class Dying:
        """Loses the second slice of every trial once, and every slice of t001."""

        width = 1

        def __init__(self) -> None:
            self.lost: set[tuple[str, int]] = set()
            self.last: Slice | None = None

        def submit(self, piece: Slice) -> None:
            self.last = piece

        def collect(self) -> Outcome:
            piece = self.last
            assert piece is not None
            key = (piece.trial, piece.until)
            if piece.trial == "t001" or (piece.until == 2 and key not in self.lost):
                self.lost.add(key)
                return Outcome(piece.trial, None, "the worker died")
            return Outcome(piece.trial, training(piece))

        def close(self) -> None:
            """Nothing."""

    found = controller(training, "4x one run")
    found.executor = Dying()
    trials = found.run()
    assert trials[0].status == "finished"
    assert (trials[1].status, trials[1].reason) == ("failed", "the worker died")
    assert len(trials) > 2


def test_without_history_both_sides_of_the_rate_are_looked_at_first() -> None:
    found = controller(Training())
    found.run()
    rates = [float(t.config["rate_offset"]) for t in found.trials[:3]]
    assert rates[0] == SPACE.default["rate_offset"]
    assert rates[1] > rates[0] > rates[2]


def test_where_the_recipe_is_best_most_searches_cost_little_more_than_it() -> None:
    spent = []
    for seed in range(7):
        training = Training(best=float(SPACE.default["rate_offset"]))
        controller(training, "6x one run", seed=seed).run()
        spent.append(training.clock / UNITS)
    assert np.median(spent) <= 1.5


def test_a_search_that_brings_nothing_ends_after_a_run_of_trials() -> None:
    def flat(piece: Slice, seen: Observation) -> Observation:
        dice = np.random.default_rng(derive(piece.until, piece.trial))
        return replace(seen, score=0.7 + float(dice.normal(0, 0.015)))

    for seed in range(5):
        training = Training(change=flat)
        found = controller(training, "6x one run", seed=seed)
        found.run()
        assert found.stopped
        # The default, a run of trials, and at most one more to finish what leads.
        assert training.clock <= 3 * UNITS


def test_a_track_tells_what_its_last_part_brought() -> None:
    track = Track.of(
        [("t000", 9.0, 9.0), ("t001", 4.0, 1.0), ("t002", 0.0, 5.0), ("t001", 2.0, 0.5)]
    )
    assert track.brought(7.0) is None
    assert track.brought(6.0) == 1.5 and track.brought(2.0) == 0.5
    # It rises to 2, falls, and comes back: only the rise was a gain.
    assert [track.take("t002", 1.0, *move) for move in ((1, 2), (2, 1), (1, 2))] == [1, 0, 0]
    assert track.brought(2.0) == 0.0 and track.brought(3.0) == 1.0
