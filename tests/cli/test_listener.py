"""Progress on standard error."""

from __future__ import annotations

import pytest

from luthier.cli import listener as module
from luthier.cli.listener import Lines, Live, Pace, open_listener, span


class Clock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0.0 s"), (4.24, "4.2 s"), (61, "1:01"), (599.6, "10:00"), (3729, "1:02:09")],
)
def test_span(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


def test_line_tells_rate_and_time_left(clock: Clock) -> None:
    pace = Pace("training", 100, "updates")
    clock.now += 10
    pace.advance(20, "loss 0.5")
    pace.advance(5, "")
    assert pace.line() == "training  25/100 updates  25%  2.5 updates/s  30.0 s left  loss 0.5"


def test_lines_are_sparse(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.start("reading", 1000, "rows")
    for _ in range(1000):
        clock.now += 0.011
        lines.advance()
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "reading (1,000 rows) ..."
    assert len(said) == 4
    assert said[-1] == "reading  1,000 rows  in 11.0 s"


def test_broken_off_work_is_not_told_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), open_listener(silent=False) as listener:
        listener.start("training", 10, "updates")
        raise KeyboardInterrupt
    assert capsys.readouterr().err.splitlines() == ["training (10 updates) ..."]


def test_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with open_listener(silent=True) as listener:
        listener.start("training")
        listener.advance(3, "loss")
        listener.say("hello")
    assert capsys.readouterr().err == ""


def test_live_bar_leaves_a_line_for_finished_work(capsys: pytest.CaptureFixture[str]) -> None:
    live = Live()
    live.start("reading", 2, "rows")
    live.advance(2, "note [x]")
    live.say("a [bold]line[/bold]")
    live.start("training")
    live.close(whole=False)
    said = capsys.readouterr().err
    assert "✓ reading  2 rows" in said and "note [x]" in said
    assert "a [bold]line[/bold]" in said
    assert "✓ training" not in said
