"""Manifests of folders."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from luthier.core.errors import FreeDisk, RepairStore
from luthier.store.manifest import Difference, Manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ä.txt").write_text("one")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    return tmp_path


def test_an_untouched_folder_has_no_differences(folder: Path) -> None:
    made = Manifest.write(folder)
    assert list(made.files) == ["b.bin", "deep/ä.txt"]
    assert made.files["b.bin"].size == 2
    assert Manifest.read(folder) == made
    assert Manifest.verify(folder) == []


def test_every_difference_is_named(folder: Path) -> None:
    (folder / "c").write_text("c")
    Manifest.write(folder)
    (folder / "b.bin").write_bytes(b"\0\2")
    (folder / "deep" / "ä.txt").unlink()
    (folder / "deep" / "new").write_text("")
    assert Manifest.verify(folder) == [
        Difference("b.bin", "changed"),
        Difference("deep/new", "added"),
        Difference("deep/ä.txt", "missing"),
    ]
    assert str(Manifest.verify(folder)[0]) == "b.bin is changed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"sha256": "x"}}', "\udcff"])
def test_a_damaged_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / Manifest.FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RepairStore, match="damaged"):
        Manifest.verify(folder)


def test_a_missing_manifest_is_refused(folder: Path) -> None:
    with pytest.raises(RepairStore, match="no manifest"):
        Manifest.verify(folder)


def test_a_full_disk_keeps_the_old_manifest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Manifest.write(folder)

    def full(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    (folder / "c").write_text("c")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FreeDisk):
        Manifest.write(folder)
    assert Manifest.read(folder) == before
    assert sorted(p.name for p in folder.iterdir()) == ["b.bin", "c", "deep", Manifest.FILE]
