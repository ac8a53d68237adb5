"""The shapes of the learning rate, and its default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.train.schedule import RateSchedule, default_rate

KINDS = ("wsd", "cosine", "linear", "constant")


def _curve(schedule: RateSchedule) -> list[float]:
    return [schedule.at(step) for step in range(schedule.steps)]


def test_warm_up_stable_decay() -> None:
    curve = _curve(RateSchedule(20, "wsd", warmup=0.2, decay=0.25))
    assert curve[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert curve[4:15] == [1.0] * 11
    assert curve[15:] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_cosine() -> None:
    curve = _curve(RateSchedule(10, "cosine", warmup=0.0))
    assert curve[0] == 1.0 and curve[5] == pytest.approx(0.5)
    assert curve[2] - curve[3] > curve[0] - curve[1]


def test_linear() -> None:
    curve = _curve(RateSchedule(10, "linear", warmup=0.0))
    assert curve == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_constant() -> None:
    assert _curve(RateSchedule(5, "constant", warmup=0.4)) == pytest.approx([0.5, 1, 1, 1, 1])


@given(
    kind=st.sampled_from(KINDS),
    steps=st.integers(1, 400),
    warmup=st.floats(0, 1),
    decay=st.floats(0, 1),
    floor=st.floats(0, 1),
)
def test_every_shape(kind: str, steps: int, warmup: float, decay: float, floor: float) -> None:
    curve = _curve(RateSchedule(steps, kind, warmup, decay, floor))  # type: ignore[arg-type]
    assert all(0.0 < value <= 1.0 for value in curve), "an update of rate zero is wasted"
    rising = round(warmup * steps)
    up, down = curve[:rising], curve[rising:]
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert all(value >= floor - 1e-12 for value in down)


@pytest.mark.parametrize("kind", KINDS)
def test_beyond_its_end_a_schedule_stays_at_the_floor(kind: str) -> None:
    schedule = RateSchedule(10, kind, warmup=0.1, floor=0.2)  # type: ignore[arg-type]
    wanted = 1.0 if kind == "constant" else 0.2
    assert [schedule.at(step) for step in (10, 11, 500)] == pytest.approx([wanted] * 3)


def test_default_rate() -> None:
    assert default_rate(2000, 32, 1.0, causal=True) == pytest.approx(5e-5)
    lora = default_rate(2000, 32, 10.0, causal=True)
    assert lora == pytest.approx(5e-4)
    assert default_rate(500, 32, 10.0, True) > lora > default_rate(4000, 32, 10.0, True)
    by_batch = [default_rate(2000, size, 10.0, True) / lora for size in (1, 8, 128, 4096)]
    assert by_batch == pytest.approx([0.5, 0.5, 2.0, 2.0])
