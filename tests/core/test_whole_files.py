"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from luthier.core.errors import FreeDisk
from luthier.core.files import new_folder, recover_folder, write_json, write_text


def _fill(path: Path, text: str) -> None:
    with new_folder(path) as place:
        (place / "a.txt").write_text(text)


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    _fill(tmp_path / "x", "one")
    _fill(tmp_path / "x", "two")
    assert (tmp_path / "x" / "a.txt").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failed_block_leaves_the_old_folder(tmp_path: Path) -> None:
    _fill(tmp_path / "x", "one")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "x") as place:
        (place / "a.txt").write_text("half")
        raise RuntimeError
    assert (tmp_path / "x" / "a.txt").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_kill_between_the_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path / "x", "one")
    rename = Path.replace
    count = 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        _fill(tmp_path / "x", "two")
    monkeypatch.undo()
    assert not (tmp_path / "x").exists()
    recover_folder(tmp_path / "x")
    assert (tmp_path / "x" / "a.txt").read_text() == "one"


def test_a_full_disk_is_named_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "f", "old")

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FreeDisk, match="the disk is full"):
        write_text(tmp_path / "f", "new")
    assert (tmp_path / "f").read_text() == "old"


def test_nan_never_enters_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "f.json", {"x": float("nan")})
    assert not (tmp_path / "f.json").exists()
