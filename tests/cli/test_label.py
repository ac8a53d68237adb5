"""Labelling with real keys in a real terminal, killed and taken up again; and from scripts."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Luthier
from luthier.data.source import open_source
from luthier.recipe.load import load_recipe
from tiny import bert

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are those of Unix", allow_module_level=True)

import pty

__all__ = ["bert"]

SUBJECTS = ["card", "invoice", "transfer", "login"]


def texts(begin: int, end: int) -> list[str]:
    return [f"please look at the {SUBJECTS[n % 4]} number {n * 7}" for n in range(begin, end)]


def sealed(begin: int, end: int) -> list[str]:
    return [f"who has seen {n * 11} of my {SUBJECTS[n % 4]} papers" for n in range(begin, end)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path, bert: Path) -> Path:
    """A recipe with three labels, sealed test rows, and a pool that overlaps both."""
    names = ["access", "billing", "other"]
    known = [{"text": t, "label": names[n % 3]} for n, t in enumerate(texts(0, 60))]
    tests = [{"text": t, "label": names[n % 3]} for n, t in enumerate(sealed(0, 30))]
    write(tmp_path / "train.jsonl", known)
    write(tmp_path / "test.jsonl", tests)
    pool = [
        *texts(200, 240),
        texts(200, 201)[0].upper(),
        *texts(0, 3),
        *sealed(0, 4),
        sealed(9, 10)[0] + "!",
        "  ",
    ]
    write(tmp_path / "pool.jsonl", [{"text": t, "ticket": n} for n, t in enumerate(pool)])
    recipe = {
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "model": {"id": str(bert), "precision": "float32"},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return tmp_path


class Terminal:
    """`luthier label` behind a pseudo-terminal."""

    def __init__(self, place: Path, *options: str) -> None:
        self._here, there = pty.openpty()
        command = [str(Path(sys.executable).with_name("luthier")), "label", "recipe.yaml", "--pool"]
        environment = os.environ | {
            "LUTHIER_HOME": str(place / "home"), "NO_COLOR": "1", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [*command, "pool.jsonl", "--quiet", *options], stdin=there, stdout=there, stderr=there,
            cwd=place, env=environment, start_new_session=True, close_fds=True,
            # A suite in the background of a script ignores interrupts, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        os.close(there)
        self.seen = ""

    def wait(self, said: str, seconds: float = 240) -> str:
        """Reads on until `said` was shown; what was shown since the last wait."""
        begin, end = len(self.seen), time.monotonic() + seconds
        while said not in self.seen[begin:]:
            ready, _, _ = select.select([self._here], [], [], 1.0)
            if ready:
                try:
                    part = os.read(self._here, 4096).decode("utf-8", "replace")
                except OSError:
                    part = ""
                assert part, f"it ended before it said {said!r}:\n{self.seen}"
                self.seen += part
            assert time.monotonic() < end, f"it never said {said!r}:\n{self.seen}"
        return self.seen[begin:]

    def press(self, key: str) -> str:
        """Presses a key and waits for the next question."""
        os.write(self._here, key.encode())
        return self.wait("label> ")

    def end(self, key: str) -> str:
        """Presses a key that ends the session, and waits for its end."""
        begin = len(self.seen)
        os.write(self._here, key.encode())
        while True:
            try:
                part = os.read(self._here, 4096).decode("utf-8", "replace")
            except OSError:
                break
            if not part:
                break
            self.seen += part
        self.process.wait(60)
        return self.seen[begin:]

    def kill(self) -> None:
        """As when the power fails."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def terminal(place: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*options: str) -> Terminal:
        opened.append(Terminal(place, *options))
        return opened[-1]

    yield open_
    for each in opened:
        each.kill()


def labelled(place: Path) -> list[dict[str, Any]]:
    lines = (place / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def question(shown: str) -> str:
    """The text of the last question shown."""
    return re.findall(r"(please look at the \w+ number \d+)", shown)[-1]


def test_keys_label_take_back_and_skip(place: Path, terminal: Callable[..., Terminal]) -> None:
    desk = terminal()
    first = desk.wait("label> ")
    assert "4 rows of the pool stand in the sealed test part" in first
    assert "1 rows of the pool nearly repeat a sealed test row" in first
    assert "3 rows of the pool have a label" in first
    assert "1 rows of the pool repeat an earlier one" in first
    assert "1 rows of the pool are empty" in first
    texts_: list[str] = [question(first)]
    texts_.append(question(desk.press("1")))
    texts_.append(question(desk.press("3")))
    back = desk.press("u")
    assert question(back) == texts_[1], "what was taken back is asked again"
    assert question(desk.press("2")) == texts_[2]
    assert "stands for no label" in desk.press("x")
    assert question(desk.press("s")) not in texts_
    end = desk.end("q")
    assert desk.process.returncode == 0
    assert "2 labels, 1 skipped" in end
    assert "Keep labelling" in end
    rows = labelled(place)
    assert [(r["text"], r["label"]) for r in rows] == [
        (texts_[0], "access"), (texts_[1], "billing"),
    ]  # fmt: skip
    assert all(r["label_source"] == "human" and r["label_quota"] and "ticket" in r for r in rows)


def test_a_killed_session_goes_on_where_it_stopped(
    place: Path, terminal: Callable[..., Terminal]
) -> None:
    desk = terminal("--batch", "4")
    asked = [question(desk.wait("label> "))]
    asked.append(question(desk.press("1")))
    asked.append(question(desk.press("2")))
    desk.kill()
    journal = place / "labels.jsonl.journal"
    with journal.open("ab") as file:
        file.write(b'{"number": 99, "kind": "ans')
    again = terminal("--batch", "4")
    shown = again.wait("label> ")
    assert "2 labels were given before" in shown
    assert "is asked again" in shown
    assert question(shown) == asked[2], "the very question that was open"
    last = again.press("3")
    assert question(last) not in asked
    shown = again.press("3")
    assert "accuracy" in shown or "labels, 0 skipped" in shown, "a round ends with its progress"
    again.end("q")
    rows = labelled(place)
    assert [r["label"] for r in rows] == ["access", "billing", "other", "other"]
    assert [r["text"] for r in rows[:3]] == asked


def test_an_interrupt_keeps_everything(place: Path, terminal: Callable[..., Terminal]) -> None:
    desk = terminal()
    desk.wait("label> ")
    desk.press("2")
    desk.process.send_signal(signal.SIGINT)
    desk.process.wait(60)
    assert desk.process.returncode == 130
    assert [r["label"] for r in labelled(place)] == ["billing"]


def test_a_key_that_sends_several_bytes_is_no_label(
    place: Path, terminal: Callable[..., Terminal]
) -> None:
    desk = terminal()
    first = question(desk.wait("label> "))
    shown = desk.press("\x1b[3~")
    assert "stands for no label" in shown
    assert question(shown) == first, "Delete ends in 3~, and 3 is a label"
    assert "→ other" in desk.press("3")
    assert "skipped" in desk.press("s")
    assert "taken back" in desk.press("u")
    desk.end("q")
    assert [r["label"] for r in labelled(place)] == ["other"]


def test_a_key_pressed_before_its_question_was_there_is_forgotten(
    place: Path, terminal: Callable[..., Terminal]
) -> None:
    desk = terminal("--batch", "2")
    desk.wait("label> ")
    desk.press("1")
    desk.press("122")
    assert "3 labels" in desk.press("3"), "a round was fitted between the two keys"
    desk.end("q")
    assert [r["label"] for r in labelled(place)] == ["access", "access", "other"]


def test_labels_and_the_rows_before_make_one_file(place: Path, luthier: Luthier) -> None:
    options = ["label", "recipe.yaml", "--pool", "pool.jsonl", "--answers", "-"]
    done = luthier(*options, given="1\n2\nq\n")
    assert "train.jsonl holds other labelled rows: --together" in done.out
    done = luthier(*options, "--together", "all.jsonl", given="3\nq\n")
    assert done.code == 0, done.err
    assert "60 rows of train.jsonl and the labels in all.jsonl" in done.out
    rows = [json.loads(line) for line in (place / "all.jsonl").read_text().splitlines()]
    assert [r["label"] for r in rows[60:]] == ["access", "billing", "other"]
    assert rows[:60] == [json.loads(x) for x in (place / "train.jsonl").read_text().splitlines()]
    for other in ("train.jsonl", "labels.jsonl"):
        refused = luthier(*options, "--together", other, given="3\nq\n")
        assert refused.code not in (0, 70)
        assert "did not write it" in " ".join(refused.err.split())
    again = luthier(*options, "--together", "all.jsonl", given="1\nq\n")
    assert again.code == 0, again.err


def test_answers_from_a_file_make_data_of_a_recipe(place: Path, luthier: Luthier) -> None:
    (place / "answers.txt").write_text("access\n2\noth\ns\nu\n1\n" + "1\n2\n3\n" * 5)
    done = luthier(
        "label", "recipe.yaml", "--pool", "pool.jsonl", "--answers", "answers.txt", "--json",
        "--target", "0.9",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert found["labels"] == 19
    assert found["skipped"] == 0
    assert found["left"] == 21
    assert found["by_class"] == {"access": 7, "billing": 6, "other": 6}
    assert found["by_quota"]["random"] >= 2
    assert 1 <= found["accuracy"]["rows"] <= 19
    assert 0 <= found["accuracy"]["interval"][0] <= found["accuracy"]["value"]
    assert not found["stop"]
    assert found["needed"]["target"] == 0.9
    recipe = json.loads((place / "recipe.yaml").read_text())
    recipe["data"]["train"] = "labels.jsonl"
    recipe["data"]["validation"] = "train.jsonl"
    (place / "next.yaml").write_text(json.dumps(recipe))
    plan = luthier("plan", "next.yaml", "--json")
    assert plan.code == 0, plan.err
    assert plan.json["task"] == "classify"
    assert load_recipe(place / "next.yaml").data.train == "labels.jsonl"
    columns = [row for _, row in open_source(str(place / "labels.jsonl")).rows()]
    assert {"text", "label", "ticket", "label_source", "label_quota"} == set(columns[0])


def test_a_script_is_shown_each_question(place: Path, luthier: Luthier) -> None:
    done = luthier(
        "label", "recipe.yaml", "--pool", "pool.jsonl", "--answers", "-", "--json",
        given="1\n1\nq\n",
    )  # fmt: skip
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    asked = [line["question"]["text"] for line in lines if "question" in line]
    assert len(asked) == 3
    assert [r["text"] for r in labelled(place)] == asked[:2]


def test_a_pool_of_one_is_enough(place: Path, luthier: Luthier) -> None:
    write(place / "one.jsonl", [{"text": "where is my parcel"}])
    done = luthier("label", "recipe.yaml", "--pool", "one.jsonl", "--answers", "-", given="3\n3\n")
    assert done.code == 0, done.err
    assert "1 labels, 0 skipped, 0 rows left" in done.out
    assert [r["label"] for r in labelled(place)] == ["other"]


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        (["--answers", "-"], "biling\n", "line 1: 'biling' is no label; did you mean 'billing'?"),
        (["--answers", "-", "--strategy", "margn"], "1\n", "did you mean 'margin'?"),
        (["--answers", "-", "--out", "train.jsonl"], "1\n", "labelling did not write it"),
        ([], "1\n", "there is no terminal to ask in"),
        (["--answers", "none.txt"], "", "it can't be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    place: Path, luthier: Luthier, options: list[str], given: str, said: str
) -> None:
    done = luthier("label", "recipe.yaml", "--pool", "pool.jsonl", *options, given=given)
    assert done.code not in (0, 70)
    assert said in " ".join(done.err.split())


def test_a_pool_without_a_new_row_is_refused(place: Path, luthier: Luthier) -> None:
    done = luthier("label", "recipe.yaml", "--pool", "test.jsonl", "--answers", "-", given="1\n")
    assert done.code == 3
    assert "30 rows of the pool stand in the sealed test part" in done.err


def test_another_pool_does_not_swallow_labels(place: Path, luthier: Luthier) -> None:
    write(place / "other.jsonl", [{"text": t} for t in texts(300, 310)])
    first = luthier("label", "recipe.yaml", "--pool", "pool.jsonl", "--answers", "-", given="1\n")
    assert first.code == 0, first.err
    done = luthier("label", "recipe.yaml", "--pool", "other.jsonl", "--answers", "-", given="1\n")
    assert done.code == 8
    assert "1 of 1 rows labelled before are not in other.jsonl" in " ".join(done.err.split())
    assert len(labelled(place)) == 1
