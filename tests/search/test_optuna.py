"""Studies go to Optuna's storages and come back; its sampler is a source of proposals."""

from __future__ import annotations

import json
import math
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun, FixRecipe, InstallExtra
from luthier.search.bridges import distributions as bridge
from luthier.search.bridges.distributions import distributions
from luthier.search.bridges.optuna import Study, read_configs, read_task, write_study
from luthier.search.bridges.plain import space_from_list, space_to_list
from luthier.search.costs import Costs
from luthier.search.history.record import TaskRecord
from luthier.search.models.freezethaw import FreezeThaw
from luthier.search.parameter import Choice, Range
from luthier.search.sampler import View
from luthier.search.samplers.all import offered, samplers
from luthier.search.samplers.tpe import Tpe
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.trial import DECISIONS, Config, Observation, Trial

optuna = pytest.importorskip("optuna", reason="the extra `tune` is not installed")

SPACE = Space(
    (
        Range("rate", -1.5, 1.5, 0.0, 0.5),
        Range("decay", 1e-4, 0.3, 0.01, 0.7, log=True),
        Choice("batch", (8, 16, 32), (1.0, 1.0, 1.0), 16),
        Choice("depth", ("all", "half"), (1.0, 1.0), "all", ordered=False),
        Choice("fixed", (1.0,), (1.0,), 1.0),
    )
)
TASK = TaskRecord(
    "run1", "bank", "classify", "b0", "accuracy", True, "higher", 0.5, {"rows": 3.0}, ()
)


def trial(name: str, config: Config, best: float, until: int, status: str = "finished") -> Trial:
    """A trial that rises to `best`."""
    curve = [
        Observation(u, best - 0.1 / u, 1.0 / u, 2.0 / u, 3.0 * u, {"ece": 0.1})
        for u in DECISIONS
        if u <= until
    ]
    return Trial(name, config, "prior", curve=curve, status=status)  # type: ignore[arg-type]


def value(config: Config) -> float:
    """Best at a rate of 0.8."""
    return 0.9 - 0.2 * abs(float(config["rate"]) - 0.8)


@pytest.fixture
def study() -> Study:
    """A search with a trial of every fate."""
    configs = SPACE.draw(np.random.default_rng(1), 5)
    trials = [
        trial("t000", configs[0], 0.8, 16),
        trial("t001", configs[1], 0.7, 4, "frozen"),
        trial("t002", configs[2], 0.9, 0, "diverged"),
        trial("t003", configs[3], 0.85, 8, "paused"),
        trial("t004", configs[4], 0.9, 16),
    ]
    trials[4].parent = "t000"
    return Study(TASK, SPACE, trials)


@pytest.mark.parametrize("kind", ["sqlite:///{}", "journal://{}"])
def test_a_study_is_what_the_dashboard_needs_and_comes_back(
    study: Study, kind: str, tmp_path: Path
) -> None:
    url = kind.format(tmp_path / "study.db")
    assert write_study(study, url) == "run1"
    storage = url
    if url.startswith("journal"):
        file = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.db"))
        storage = optuna.storages.JournalStorage(file)
    seen = optuna.load_study(study_name="run1", storage=storage)
    states = [t.state.name for t in seen.trials]
    assert states == ["COMPLETE", "PRUNED", "FAIL", "PRUNED", "COMPLETE"]
    assert seen.best_value == study.trials[4].curve[-1].score
    assert seen.direction.name == "MAXIMIZE"
    assert seen.user_attrs["luthier"]["metric"] == "accuracy"
    for told, own in zip(seen.trials, study.trials, strict=True):
        assert told.params == dict(own.config)
        assert told.intermediate_values == {p.unit: p.score for p in own.curve}
        assert told.user_attrs["source"] == "prior" and told.user_attrs["cost"] == own.cost
    if url.startswith("sqlite"):
        storage = seen._storage
        storage.remove_session()
        storage._backend.engine.dispose()

    task, space = read_task(url, "run1")
    assert space == SPACE
    assert (task.id, task.metric, task.anchor, task.features) == (
        "run1",
        "accuracy",
        0.5,
        {"rows": 3.0},
    )
    assert [len(t.curve) for t in task.trials] == [5, 3, 0, 4]
    assert [t.diverged for t in task.trials] == [False, False, True, False]
    assert [(p.unit, p.score, p.cost) for p in task.trials[1].curve] == [
        (p.unit, p.score, p.cost) for p in study.trials[1].curve
    ]

    best = read_configs(url, "run1", SPACE)
    assert best == [study.trials[4].config, study.trials[0].config]


def test_importance_can_be_computed_from_it(tmp_path: Path) -> None:
    configs = SPACE.draw(np.random.default_rng(2), 30)
    trials = [trial(f"t{i:03d}", c, value(c), 16) for i, c in enumerate(configs)]
    url = f"sqlite:///{tmp_path / 'study.db'}"
    write_study(Study(TASK, SPACE, trials), url, "named")
    seen = optuna.load_study(study_name="named", storage=url)
    found = optuna.importance.get_param_importances(
        seen, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    seen._storage.remove_session()
    seen._storage._backend.engine.dispose()
    assert max(found, key=lambda name: found[name]) == "rate"


def test_what_waits_in_a_foreign_study_is_tried_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    other = optuna.create_study(storage=url, study_name="theirs", direction="minimize")
    kinds = distributions(SPACE)
    for rate, loss in ((0.1, 2.0), (0.2, 1.0), (0.3, 3.0)):
        config = {**SPACE.default, "rate": rate}
        other.add_trial(optuna.trial.create_trial(value=loss, params=config, distributions=kinds))
    other.enqueue_trial({"rate": 1.25})
    other._storage.remove_session()
    other._storage._backend.engine.dispose()

    found = read_configs(url, "theirs", SPACE, 3)
    assert [c["rate"] for c in found] == [1.25, 0.2, 0.1]
    assert all(SPACE.holds(c) for c in found)
    with pytest.raises(CheckRun, match="does not say"):
        read_task(url, "theirs")
    with pytest.raises(CheckRun, match="theirs"):
        read_task(url, "mine")
    narrow = Space((Range("other", 0.0, 1.0, 0.5, 0.2),))
    with pytest.raises(FixRecipe, match="none of its trials"):
        read_configs(url, "theirs", narrow)


def test_a_name_is_never_written_twice_and_bad_addresses_are_refused(
    study: Study, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    write_study(study, url)
    with pytest.raises(CheckRun, match="already"):
        write_study(study, url)
    for bad in (f"sqlite:///{tmp_path / 'none' / 'study.db'}", "no address", "nosuch://x"):
        with pytest.raises(CheckRun, match="cannot be opened"):
            write_study(study, bad)


WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=6)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.6g}"))


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Range | Choice:
    """Any range or choice."""
    if draw(st.booleans()):
        log = draw(st.booleans())
        ends = st.floats(1e-6, 1e3) if log else NUMBERS
        low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
        if not low < high:
            high = low + 1.0
        return Range(name, low, high, draw(st.sampled_from([low, high])), 0.5, log)
    options = draw(
        st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True).map(sorted)
        | st.lists(WORDS, min_size=1, max_size=4, unique=True)
    )
    mode = draw(st.sampled_from(options))
    ordered = not isinstance(mode, str)
    return Choice(name, tuple(options), (1.0,) * len(options), mode, ordered)


SPACES = st.lists(WORDS, min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*(parameters(n) for n in names)).map(Space)
)


@given(SPACES, st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_any_space_and_its_configurations_survive(space: Space, seed: int) -> None:
    assert space_from_list(json.loads(json.dumps(space_to_list(space)))) == space
    kinds = distributions(space)
    for config in [space.default, *space.draw(np.random.default_rng(seed), 3)]:
        made = optuna.trial.create_trial(value=0.0, params=dict(config), distributions=kinds)
        assert made.params == config
        for name, given_value in config.items():
            raw = kinds[name].to_internal_repr(given_value)
            assert kinds[name].to_external_repr(raw) == given_value


def view_of(trials: list[Trial], seed: int) -> View:
    """What a source sees of these trials."""
    scale = Scale(True, "higher", 0.5)
    model = FreezeThaw(SPACE, scale, (), {}, 200, history=False, curve=True)
    return View(SPACE, scale, trials, trials[0], 0.0, model, model, Costs(),
                np.random.default_rng(seed))  # fmt: skip


def test_tpe_learns_where_trials_were_good_and_repeats_itself() -> None:
    configs = SPACE.draw(np.random.default_rng(4), 40)
    trials = [trial(f"t{i:03d}", c, value(c), 16) for i, c in enumerate(configs)]
    trials[3].curve, trials[3].status = [], "diverged"
    proposed = [Tpe().propose(view_of(trials, seed)) for seed in range(12)]
    found = [p.config for p in proposed if p is not None]
    assert len(found) == 12 and all(SPACE.holds(c) for c in found)
    drawn = np.mean([abs(float(c["rate"]) - 0.8) for c in configs])
    assert np.mean([abs(float(c["rate"]) - 0.8) for c in found]) < 0.6 * drawn
    again = Tpe().propose(view_of(trials, 5))
    assert again is not None and again.config == found[5]
    assert found[5] != found[6]
    assert not any(view_of(trials, 0).tried(c) for c in found)


def test_tpe_waits_for_trials_and_survives_a_score_that_is_no_number() -> None:
    configs = SPACE.draw(np.random.default_rng(4), 6)
    few = [trial(f"t{i}", c, value(c), 4, "paused") for i, c in enumerate(configs)]
    assert Tpe().propose(view_of(few[:3], 0)) is None
    few[0].curve[-1] = Observation(4, math.nan, math.nan, 1.0, 1.0)
    assert Tpe().propose(view_of(few, 0)) is not None


def test_tpe_is_offered_when_installed_and_named_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tpe" in offered() and list(samplers(["tpe", "prior"])) == ["tpe", "prior"]
    monkeypatch.setattr(bridge.importlib.util, "find_spec", lambda name: None)
    assert "tpe" not in offered() and "prior" in offered()
    with pytest.raises(InstallExtra, match=r"luthier\[tune\]"):
        samplers(["prior", "tpe"])
    with pytest.raises(FixRecipe) as met:
        samplers(["prio"])
    assert "tpe" not in met.value.allowed and "prior" in met.value.advice
