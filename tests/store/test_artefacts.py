"""Artefacts and shelves."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from luthier.core.errors import CheckRun, FreeDisk, RepairStore
from luthier.core.hashing import hash_file, hash_path, hash_value
from luthier.store.artefacts import Artefacts

KEY = hash_value("stage")


@pytest.fixture
def artefacts(tmp_path: Path) -> Artefacts:
    return Artefacts(tmp_path / "home")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_bytes(b"a" * 100)
    (folder / "b").write_bytes(b"b")
    return folder


def _files(artefacts: Artefacts) -> list[str]:
    found = [p for p in artefacts.folder.rglob("*") if p.is_file()]
    return sorted(p.relative_to(artefacts.folder).as_posix() for p in found)


def test_a_file_comes_back_by_its_hash(artefacts: Artefacts, made: Path) -> None:
    key = artefacts.put_file(made / "b")
    assert key == hash_file(made / "b")
    found = artefacts.get(key)
    assert found.read_bytes() == b"b"
    assert found.parent == artefacts.folder / key[:2] / key
    (made / "b").write_bytes(b"changed")
    assert artefacts.get(key).read_bytes() == b"b"


def test_a_folder_comes_back_by_its_hash(artefacts: Artefacts, made: Path) -> None:
    key = artefacts.put_folder(made)
    assert key == hash_path(made)
    assert hash_path(artefacts.get(key)) == key


def test_the_same_content_is_kept_once(artefacts: Artefacts, made: Path) -> None:
    (made / "other").write_bytes(b"b")
    assert artefacts.put_file(made / "b") == artefacts.put_file(made / "other")
    assert len(_files(artefacts)) == 1


def test_a_changed_artefact_is_refused_and_can_be_put_again(
    artefacts: Artefacts, made: Path
) -> None:
    for key, damaged in (
        (artefacts.put_file(made / "b"), "file"),
        (artefacts.put_folder(made), "folder/deep/a"),
    ):
        (artefacts.folder / key[:2] / key / damaged).write_bytes(b"x")
        with pytest.raises(RepairStore, match=key):
            artefacts.get(key)
    artefacts.put_file(made / "b")
    artefacts.put_folder(made)
    assert hash_path(artefacts.get(hash_path(made))) == hash_path(made)
    assert artefacts.get(hash_file(made / "b")).read_bytes() == b"b"


def test_what_was_never_put_is_refused(artefacts: Artefacts, tmp_path: Path) -> None:
    for refused in (
        lambda: artefacts.get("0" * 64),
        lambda: artefacts.get("../../etc"),
        lambda: artefacts.shelf("../x"),
        lambda: artefacts.put_file(tmp_path / "none"),
        lambda: artefacts.put_folder(tmp_path / "none"),
    ):
        with pytest.raises(CheckRun):
            refused()


def test_links_are_followed_to_files_only(artefacts: Artefacts, made: Path, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"weights")
    (made / "link").symlink_to(tmp_path / "blob")
    kept = artefacts.get(artefacts.put_folder(made)) / "link"
    assert kept.read_bytes() == b"weights" and not kept.is_symlink()
    (made / "loop").symlink_to(made)
    with pytest.raises(CheckRun, match="loop"):
        artefacts.put_folder(made)
    (made / "loop").unlink()
    os.mkfifo(made / "pipe")
    with pytest.raises(CheckRun, match="pipe"):
        artefacts.shelve(KEY, made)


def test_a_dropped_artefact_is_gone(artefacts: Artefacts, made: Path) -> None:
    key = artefacts.put_file(made / "b")
    artefacts.drop(key)
    artefacts.drop(key)
    with pytest.raises(CheckRun):
        artefacts.get(key)
    assert _files(artefacts) == []


def test_a_shelf_is_empty_until_something_is_shelved(artefacts: Artefacts, made: Path) -> None:
    assert artefacts.shelf(KEY) is None
    kept = artefacts.shelve(KEY, made)
    assert hash_path(kept) == hash_path(made)
    assert artefacts.shelf(KEY) == kept


def test_the_first_one_wins(artefacts: Artefacts, made: Path, tmp_path: Path) -> None:
    kept = artefacts.shelve(KEY, made)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "other").write_text("late")
    assert artefacts.shelve(KEY, tmp_path / "second") == kept
    assert hash_path(kept) == hash_path(made)


def test_the_first_one_wins_while_both_write(
    artefacts: Artefacts, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luthier.store import shelf as module

    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "who").write_text("first")
    copy, calls = module.copy, []

    def late(source: Path, target: Path) -> None:
        copy(source, target)
        if not calls:
            calls.append(1)
            Artefacts(tmp_path / "home").shelve(KEY, tmp_path / "first")

    monkeypatch.setattr(module, "copy", late)
    assert [p.name for p in artefacts.shelve(KEY, made).iterdir()] == ["who"]
    assert len([file for file in _files(artefacts) if file.startswith("shelf/")]) == 2


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_a_damaged_shelf_is_refused(artefacts: Artefacts, made: Path, damage: str) -> None:
    kept = artefacts.shelve(KEY, made)
    if damage == "change":
        (kept / "b").write_bytes(b"c")
    elif damage == "remove":
        (kept / "b").unlink()
    else:
        (kept.parent / "manifest.json").unlink()
    with pytest.raises(RepairStore):
        artefacts.shelf(KEY)


@pytest.mark.parametrize("part", ["os.fsync", "shutil.copyfile"])
def test_a_full_disk_leaves_earlier_artefacts_and_no_rest(
    artefacts: Artefacts, made: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    key = artefacts.put_file(made / "b")
    kept = artefacts.shelve(KEY, made)
    before = _files(artefacts)

    def full(*_: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(part, full)
        for put in (
            lambda: artefacts.put_file(made / "deep" / "a"),
            lambda: artefacts.put_folder(made),
            lambda: artefacts.shelve(hash_value("other"), made),
        ):
            with pytest.raises(FreeDisk):
                put()
    assert _files(artefacts) == before
    assert artefacts.get(key).read_bytes() == b"b"
    assert artefacts.shelf(KEY) == kept
    assert artefacts.shelf(hash_value("other")) is None


def test_what_a_killed_process_left_is_removed_after_a_day(
    artefacts: Artefacts, made: Path
) -> None:
    artefacts.put_file(made / "b")
    left, fresh = (artefacts.folder / ".unfinished" / name for name in ("old", "new"))
    for folder in (left, fresh):
        folder.mkdir()
        (folder / "half").write_text("x")
    yesterday = time.time() - 90_000
    os.utime(left, (yesterday, yesterday))
    artefacts.put_file(made / "b")
    assert not left.exists()
    assert fresh.exists()
