"""A learnt choice of moves: fitted values, off-policy judgement, and a search that follows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_search import Training, controller, shown

from luthier.core.errors import RepairStore
from luthier.search.policy.learning import Choice, doubly_robust, fitted_q
from luthier.search.policy.policy import Policy
from luthier.search.policy.situation import MOVES, Move, Situation
from luthier.search.problem import Rules

PLAIN = Situation(0.1, 3.0, 1.0, 1.0, 0.1, 0.25, 0.25, 0.0, 0.5, 0.0)
EXPLORE = 0.5


def played(random: np.random.Generator, count: int) -> list[list[Choice]]:
    """Searches in which going on pays early and costs late; the rule always goes on."""
    behaviour = Policy(explore=EXPLORE)
    episodes = []
    for _ in range(count):
        choices: list[Choice] = []
        for step in range(6):
            situation = replace(PLAIN, used=step / 6)
            legal: tuple[Move, ...] = ("stop", "continue")
            move, chance = behaviour.choose(situation, legal, "continue", random)
            reward = 0.0 if move == "stop" else (1.0 if step < 3 else -1.0)
            noisy = reward + float(random.normal(0, 0.1))
            choices.append(Choice(situation, legal, move, "continue", chance, noisy))
            if move == "stop":
                break
        episodes.append(choices)
    return episodes


def worth(policy: Policy) -> float:
    """What a policy earns there without noise."""
    earned = 0.0
    for step in range(6):
        situation = replace(PLAIN, used=step / 6)
        if policy.wanted(situation, ("stop", "continue"), "continue") == "stop":
            break
        earned += 1.0 if step < 3 else -1.0
    return earned


def test_a_learnt_policy_stops_where_going_on_no_longer_pays() -> None:
    learnt = fitted_q(played(np.random.default_rng(0), 600), ridge=0.01)
    assert worth(learnt) > worth(Policy())
    assert learnt.wanted(replace(PLAIN, used=0.0), ("stop", "continue"), "stop") == "continue"


def test_the_estimate_from_other_moves_agrees_with_what_a_policy_earns() -> None:
    values = fitted_q(played(np.random.default_rng(1), 600), ridge=0.01)
    logged = played(np.random.default_rng(2), 4000)
    for policy in (Policy(), values):
        found = doubly_robust(logged, policy, values)
        error = found.std() / np.sqrt(len(found))
        assert abs(found.mean() - worth(policy)) < 4 * error + 0.05


def test_moves_come_as_often_as_they_say() -> None:
    random, policy = np.random.default_rng(3), Policy(explore=0.3)
    drawn = [policy.choose(PLAIN, MOVES, "begin", random) for _ in range(4000)]
    for move in MOVES:
        chance = {c for m, c in drawn if m == move}.pop()
        assert np.mean([m == move for m, _ in drawn]) == pytest.approx(chance, abs=0.03)


def test_a_policy_without_weights_or_chance_changes_nothing_but_the_log() -> None:
    plain = controller(Training(), "4x one run")
    same = controller(Training(), "4x one run", rules=Rules(policy=Policy()))
    plain.run()
    same.run()
    assert shown(plain.trials) == shown(same.trials)
    logged = [d.features for d in same.log.decisions() if "chance" in d.features]
    assert logged and all(d["chance"] == 1.0 and d["move"] == d["rule"] for d in logged)
    known = Situation.from_dict(logged[0]).as_dict()
    assert all(logged[0][name] == value for name, value in known.items())


def test_a_policy_that_stops_ends_the_search() -> None:
    stop = np.zeros((len(MOVES), len(PLAIN.vector())))
    stop[MOVES.index("stop"), 0] = 1.0
    policy = Policy(tuple(tuple(row) for row in stop))
    search = controller(Training(), "9x one run", rules=Rules(policy=policy))
    search.run()
    assert search.stopped
    assert sum(d.action == "stop" for d in search.log.decisions()) >= 1
    assert all(t.source in ("default", "portfolio") for t in search.trials)


def test_a_policy_is_read_as_it_was_written_and_another_shape_is_refused(tmp_path: Path) -> None:
    learnt = fitted_q(played(np.random.default_rng(0), 50))
    learnt.write(tmp_path / "policy.json")
    assert Policy.read(tmp_path / "policy.json") == learnt
    content = json.loads((tmp_path / "policy.json").read_text(encoding="utf-8"))
    content["weights"] = content["weights"][:1]
    (tmp_path / "policy.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RepairStore, match="learn it again"):
        Policy.read(tmp_path / "policy.json")
