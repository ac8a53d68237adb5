"""Monitoring: false alarms, estimates, canaries, misuse, export and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from luthier.core.errors import CheckRun
from luthier.safety.monitor.canaries import moved, remember
from luthier.safety.monitor.drift import Drift, Reference
from luthier.safety.monitor.estimate import ConfidenceThreshold, prediction_powered
from luthier.safety.monitor.export import OPENTELEMETRY, Sample, prometheus
from luthier.safety.monitor.keeping import REFERENCE, STATE, keep, reopen
from luthier.safety.monitor.misuse import Limits, Misuse, Request


def vectors(dice: np.random.Generator, count: int, shift: float = 0.0) -> np.ndarray:
    return (dice.normal(size=(count, 8)) + shift).astype(np.float32)


def test_alarms_without_drift_stay_below_alpha_however_often_one_looks() -> None:
    alarms = 0
    for seed in range(100):
        dice = np.random.default_rng(seed)
        drift = Drift(Reference.of(vectors(dice, 300), seed), alpha=0.1)
        for row in vectors(dice, 240):
            drift.see(row)
        alarms += drift.alarm
    # Binomial(100, 0.1) exceeds 18 with probability below 0.01.
    assert alarms <= 18


def test_drift_is_shown_and_used_up_references_are_said_so() -> None:
    dice = np.random.default_rng(0)
    drift = Drift(Reference.of(vectors(dice, 500), 0))
    for row in vectors(dice, 400, shift=1.5):
        drift.see(row)
    assert drift.alarm and drift.exhausted
    with pytest.raises(CheckRun, match="at least 50"):
        Reference.of(vectors(dice, 10), 0)


def test_a_monitor_goes_on_where_it_stopped_and_keeps_no_request(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    reference, stream = Reference.of(vectors(dice, 200), 1), vectors(dice, 100, 0.3)
    whole, half = Drift(reference), Drift(reference)
    for row in stream:
        whole.see(row)
    for row in stream[:50]:
        half.see(row)
    keep(tmp_path, reference, half)
    again = reopen(tmp_path)[1]
    for row in stream[50:]:
        again.see(row)
    assert again.state() == whole.state()
    assert {p.name for p in tmp_path.iterdir()} == {STATE, REFERENCE}


@pytest.mark.parametrize("name", [STATE, REFERENCE])
def test_a_damaged_monitor_is_refused(tmp_path: Path, name: str) -> None:
    reference = Reference.of(vectors(np.random.default_rng(2), 60), 2)
    keep(tmp_path, reference, Drift(reference))
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckRun, match="no whole monitor"):
        reopen(tmp_path)
    file.unlink()
    with pytest.raises(CheckRun):
        reopen(tmp_path)


def test_a_state_of_another_reference_is_refused(tmp_path: Path) -> None:
    reference = Reference.of(vectors(np.random.default_rng(3), 60), 3)
    keep(tmp_path, reference, Drift(reference))
    state = json.loads((tmp_path / STATE).read_text())
    state["drift"]["new"] = [0.0]
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(CheckRun, match="another reference"):
        reopen(tmp_path)


def test_accuracy_is_estimated_without_labels() -> None:
    dice = np.random.default_rng(4)
    known = dice.uniform(0.4, 1.0, 2000)
    learnt = ConfidenceThreshold.of(known, dice.uniform(size=2000) < known)
    asked = dice.uniform(0.4, 1.0, 2000)
    found = learnt.accuracy(asked)
    assert found.low <= 0.7 <= found.high
    assert ConfidenceThreshold.of(known, np.ones(2000, bool)).accuracy(asked).value == 1.0


def test_few_labels_cover_the_truth_and_good_guesses_narrow() -> None:
    inside, widths = 0, {0.1: [], 3.0: []}
    for seed in range(200):
        dice = np.random.default_rng(seed)
        truth = dice.normal(0.3, 1, 1050)
        for noise, found_widths in widths.items():
            guess = truth + dice.normal(0.5, noise, 1050)
            found = prediction_powered(guess[50:], truth[:50], guess[:50])
            found_widths.append(found.high - found.low)
            inside += found.low <= 0.3 <= found.high
    assert inside >= 0.9 * 400
    assert np.mean(widths[0.1]) < 0.5 * np.mean(widths[3.0])
    with pytest.raises(CheckRun):
        prediction_powered(np.zeros(5), np.zeros(1), np.zeros(1))


def test_canaries_tell_changed_answers_without_keeping_them() -> None:
    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[len(t), t.count("a")] for t in texts], np.float32)

    before = remember(["a secret", "same"], embed)
    found = moved(before, remember(["another", "same"], embed))
    assert found.changed == (0,) and found.distance[1] == pytest.approx(0)
    assert found.furthest == found.distance[0] > 0 and "secret" not in repr(before)


def request(time: float, vector: np.ndarray, **changes: object) -> Request:
    given = {"caller": "k1", "tokens_in": 20, "tokens_out": 5, "seconds": 0.1, "refused": False}
    return Request(time=time, vector=vector.astype(np.float32), **(given | changes))  # type: ignore[arg-type]


def test_misuse_is_told_apart_from_ordinary_use() -> None:
    dice = np.random.default_rng(5)
    watch = Misuse(Limits(window=60, least=20))
    seen = [p for i in range(60) for p in watch.see(request(i / 10, dice.normal(size=64)))]
    assert {p.kind for p in seen} == {"extraction"}
    slow = Misuse(Limits(window=60, least=20))
    assert not [p for i in range(60) for p in slow.see(request(i * 60.0, dice.normal(size=64)))]
    assert [p.kind for p in slow.see(request(9e9, dice.normal(size=64), seconds=9.0))] == ["sponge"]
    one = dice.normal(size=64)
    bursts = [slow.see(request(9e9 + i, one + 0.1 * dice.normal(size=64), refused=True))
              for i in range(6)]  # fmt: skip
    assert [p.kind for p in bursts[-1]] == ["jailbreak"] and not bursts[1]


def test_the_exposition_format_is_kept() -> None:
    text = prometheus(
        [
            Sample("luthier_requests_total", 3, "Requests.", "counter", {"run": 'a"b\\c\nd'}),
            Sample("luthier_drift_alarm", float("nan"), "Drift."),
        ]
    )
    assert '{run="a\\"b\\\\c\\nd"} 3.0\n' in text and "luthier_drift_alarm NaN\n" in text
    assert text.count("# TYPE") == 2
    with pytest.raises(ValueError, match="no Prometheus name"):
        prometheus([Sample("bad name", 1, "")])
    assert all(prometheus([Sample(name, 1, "x")]) for name in OPENTELEMETRY)
