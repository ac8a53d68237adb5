"""Journals: what is appended is read, and what was changed is found."""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FreeDisk, RepairStore
from luthier.store.entry import START
from luthier.store.journal import TORN, Journal

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
appended = st.lists(
    st.tuples(st.text(min_size=1), st.dictionaries(st.text(), values, max_size=3)),
    min_size=1,
    max_size=5,
)


def _filled(folder: str, entries: list) -> Journal:
    journal = Journal(Path(folder) / "journal.jsonl")
    for kind, payload in entries:
        journal.append(kind, payload)
    return journal


def _said(journal: Journal) -> list:
    return [(entry.kind, entry.payload) for entry in journal.read()]


@given(appended)
@settings(max_examples=25, deadline=None)
def test_what_is_appended_is_read(entries: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = _filled(folder, entries)
        assert _said(journal) == entries
        assert journal.verify() == len(entries)
        assert [entry.number for entry in journal.read()] == list(range(1, len(entries) + 1))


@given(appended, st.data())
@settings(max_examples=40, deadline=None)
def test_every_changed_byte_is_found_or_reported(entries: list, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = _filled(folder, entries)
        sound = bytearray(journal.path.read_bytes())
        place = data.draw(st.integers(0, len(sound) - 1))
        change = data.draw(st.integers(1, 255))
        line = sound[:place].count(b"\n") + 1
        sound[place] ^= change
        journal.path.write_bytes(sound)
        if place == len(sound) - 1:
            # Without its newline the last line looks like one that a crash tore.
            assert _said(journal)[:-1] == entries[:-1]
            assert journal.read()[-1].kind == TORN
        else:
            with pytest.raises(RepairStore, match=f"line {line}"):
                journal.verify()


@given(appended, st.data())
@settings(max_examples=40, deadline=None)
def test_a_torn_line_is_moved_and_reported(entries: list, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = _filled(folder, entries)
        whole = journal.path.read_bytes()
        last = whole.rfind(b"\n", 0, -1) + 1
        cut = data.draw(st.integers(last + 1, len(whole) - 1))
        journal.path.write_bytes(whole[:cut])
        torn = whole[last:cut]
        first = data.draw(st.sampled_from(["append", "read", "verify"]))
        if first == "append":
            journal.append("next", {"x": 1})
            assert _said(journal)[-1] == ("next", {"x": 1})
        else:
            getattr(journal, first)()
        report = journal.read()[len(entries) - 1]
        assert _said(journal)[: len(entries) - 1] == entries[:-1]
        assert report.kind == TORN
        assert report.payload == {
            "bytes": len(torn),
            "sha256": hashlib.sha256(torn).hexdigest(),
            "moved_to": "journal.jsonl.torn",
        }
        assert journal.torn_path.read_bytes() == torn + b"\n"
        journal.verify()


@given(appended, st.data())
@settings(max_examples=25, deadline=None)
def test_a_line_taken_out_is_found(entries: list, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = _filled(folder, [*entries, ("last", {})])
        lines = journal.path.read_bytes().splitlines(keepends=True)
        out = data.draw(st.integers(0, len(lines) - 2))
        journal.path.write_bytes(b"".join(lines[:out] + lines[out + 1 :]))
        with pytest.raises(RepairStore, match=f"line {out + 1}"):
            journal.verify()


def test_each_line_holds_the_hash_of_the_one_before(tmp_path: Path) -> None:
    journal = _filled(str(tmp_path), [("a", {}), ("b", {}), ("c", {})])
    before = START
    for line, entry in zip(journal.path.read_bytes().splitlines(), journal.read(), strict=True):
        assert json.loads(line)["previous"] == before == entry.previous
        before = hashlib.sha256(line).hexdigest()
        assert entry.line_hash == before
    assert journal.tip() == before


def test_cut_off_entries_are_found_with_the_tip(tmp_path: Path) -> None:
    journal = _filled(str(tmp_path), [("a", {}), ("b", {})])
    tip = journal.tip()
    assert journal.verify(tip) == 2
    journal.path.write_bytes(journal.path.read_bytes().splitlines(keepends=True)[0])
    assert journal.verify() == 1
    with pytest.raises(RepairStore, match="last line 1"):
        journal.verify(tip)


def test_a_rewritten_line_with_a_right_digest_is_found(tmp_path: Path) -> None:
    other = _filled(str(tmp_path / "other"), [("a", {"x": 2})]).path.read_bytes()
    journal = _filled(str(tmp_path), [("a", {"x": 1}), ("b", {})])
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(other + lines[1])
    with pytest.raises(RepairStore, match="line 2"):
        journal.verify()


def test_a_broken_last_line_is_not_appended_to(tmp_path: Path) -> None:
    journal = _filled(str(tmp_path), [("a", {"x": 1})])
    changed = journal.path.read_bytes().replace(b'"x":1', b'"x":2')
    journal.path.write_bytes(changed)
    with pytest.raises(RepairStore, match="last line"):
        journal.append("b", {})
    assert journal.path.read_bytes() == changed


def test_an_unwritten_journal_is_empty(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none.jsonl")
    assert journal.read() == []
    assert journal.verify() == 0
    assert journal.tip() == START
    assert not journal.path.exists()


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}])
def test_what_json_cannot_hold_is_refused(tmp_path: Path, payload: dict) -> None:
    journal = _filled(str(tmp_path), [("a", {})])
    with pytest.raises((TypeError, ValueError)):
        journal.append("b", payload)
    assert _said(journal) == [("a", {})]


def test_lines_longer_than_a_block(tmp_path: Path) -> None:
    entries = [("long", {"x": "y" * 200_000}), ("longer", {"x": "z" * 300_000}), ("short", {})]
    journal = _filled(str(tmp_path), entries)
    assert _said(journal) == entries
    journal.path.write_bytes(journal.path.read_bytes() + b"q" * 150_000)
    journal.append("next", {})
    assert [kind for kind, _ in _said(journal)] == ["long", "longer", "short", TORN, "next"]
    assert len(journal.torn_path.read_bytes()) == 150_001


def test_a_torn_line_behind_a_broken_one_stays_in_place(tmp_path: Path) -> None:
    journal = _filled(str(tmp_path), [("a", {"x": 1})])
    changed = journal.path.read_bytes().replace(b'"x":1', b'"x":2') + b"torn"
    journal.path.write_bytes(changed)
    for _ in range(2):
        with pytest.raises(RepairStore):
            journal.verify()
    assert journal.path.read_bytes() == changed
    assert not journal.torn_path.exists()


def test_a_second_torn_line_is_added_to_the_first(tmp_path: Path) -> None:
    journal = _filled(str(tmp_path), [("a", {})])
    for torn in (b"one", b"two"):
        journal.path.write_bytes(journal.path.read_bytes() + torn)
        journal.verify()
    assert journal.torn_path.read_bytes() == b"one\ntwo\n"
    assert [kind for kind, _ in _said(journal)] == ["a", TORN, TORN]


def test_a_full_disk_leaves_earlier_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = _filled(str(tmp_path), [("a", {})])
    before = journal.path.read_bytes()

    def full(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(FreeDisk, match="journal"):
            journal.append("b", {})
    assert journal.path.read_bytes() == before
    journal.append("b", {})
    assert journal.verify() == 2


def test_threads_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    def write(who: int) -> None:
        for number in range(10):
            Journal(path).append("step", {"who": who, "number": number})

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Journal(path).verify() == 40
