"""Every failure ends in one sentence and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from luthier.cli.guard import INTERRUPTED, UNEXPECTED, guarded
from luthier.core.errors import CheckRun, FreeDisk, LuthierError, ResumeLater


def ended(error: BaseException, home: Path, as_json: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught, guarded(home, as_json):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    "error",
    [
        CheckRun("run a", "it is gone"),
        FreeDisk("/disk", "the disk is full", advice="free space"),
        ResumeLater("run a", "stopped by you", advice="luthier runs resume a"),
    ],
)
def test_known_error_is_its_sentence_and_code(
    error: LuthierError, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error, tmp_path) == error.exit_code
    said = capsys.readouterr()
    assert said.err == f"{error}\n"
    assert said.out == ""


def test_json_repeats_the_error_in_its_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(CheckRun("run a", "it is gone", "b, c", "choose one"), tmp_path, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 8
    parts = {key: answer["error"][key] for key in ("place", "met", "allowed", "advice")}
    assert parts == {
        "place": "run a", "met": "it is gone", "allowed": "b, c", "advice": "choose one",
    }  # fmt: skip


def test_unexpected_error_leaves_its_traceback_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(ValueError("odd"), tmp_path) == UNEXPECTED
    said = capsys.readouterr().err
    assert said.startswith("unexpected ValueError: odd.")
    assert "Traceback" not in said
    [crash] = (tmp_path / "crashes").iterdir()
    assert str(crash) in said
    assert "ValueError: odd" in crash.read_text(encoding="utf-8")


def test_traceback_is_shown_where_no_file_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crashes").write_text("no folder", encoding="utf-8")
    assert ended(ValueError("odd"), tmp_path) == UNEXPECTED
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(KeyboardInterrupt(), tmp_path) == INTERRUPTED
    assert "Run the same command again" in capsys.readouterr().err


def test_an_exit_passes_through(tmp_path: Path) -> None:
    assert ended(typer.Exit(3), tmp_path) == 3
