"""What the doctor sees, with the machine's own files replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.core.errors import RepairStore
from luthier.stages import doctor
from luthier.stages.checks import Check, Verdict
from luthier.stages.checks.machine import core_limit, memory_limit
from luthier.stages.checks.packages import check_extras, check_packages
from luthier.stages.checks.places import check_locks, check_postgres, check_store, check_writing
from luthier.stages.checks.tensors import Tensors, check_tensors


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({"cpu.max": "150000 100000", "memory.max": "1073741824"}, 1.5, 1 << 30),
        ({"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "200000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "2147483648",
            },
            2.0,
            2 << 30,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            None,
            None,
        ),
        ({}, None, None),
    ],
)
def test_limits_of_a_container(
    tmp_path: Path, files: dict[str, str], cores: float | None, memory: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n", encoding="utf-8")
    assert core_limit(tmp_path) == cores
    assert memory_limit(tmp_path) == memory


def project(
    monkeypatch: pytest.MonkeyPatch, requirements: list[str], versions: dict[str, str]
) -> None:
    from luthier.stages.checks import packages

    def version(name: str) -> str:
        if name not in versions:
            raise packages.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(packages, "requires", lambda name: requirements)
    monkeypatch.setattr(packages, "version", version)


def test_package_outside_the_tested_range(monkeypatch: pytest.MonkeyPatch) -> None:
    project(monkeypatch, ["torch>=2,<3", "numpy>=2"], {"torch": "3.1", "numpy": "2.1"})
    check = check_packages()
    assert check.verdict is Verdict.WARN
    assert check.seen == "torch 3.1 is outside <3,>=2"
    assert "numpy" not in check.advice


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    project(monkeypatch, ["torch>=2", "other; extra == 'hub'"], {})
    check = check_packages()
    assert (check.verdict, check.seen) == (Verdict.FAIL, "missing: torch")


def test_extra_nobody_asked_for_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    project(monkeypatch, ["datasets>=4; extra == 'hub'"], {})
    checks = {check.name: check for check in check_extras()}
    assert checks["extra hub"].verdict is Verdict.OK
    assert "luthier[hub]" in checks["extra hub"].advice


def test_folder_that_can_be_used(tmp_path: Path) -> None:
    assert check_writing(tmp_path).verdict is Verdict.OK
    assert check_locks(tmp_path).verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", encoding="utf-8")
    assert check_writing(tmp_path / "home").verdict is Verdict.FAIL


def test_store_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "luthier.db").write_bytes(b"no database at all " * 100)
    check = check_store(tmp_path, None)
    assert check.verdict is Verdict.FAIL and "luthier.db" in check.seen


def test_missing_driver_matters_where_the_store_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from luthier.stages.checks import places

    monkeypatch.setattr(places, "find_spec", lambda name: None)
    assert check_postgres(None).verdict is Verdict.WARN
    assert check_postgres("postgresql://host/runs").verdict is Verdict.FAIL


def test_torch_that_dies_is_told() -> None:
    [check] = check_tensors(Tensors(fault="killed by signal 4"))
    assert check.verdict is Verdict.FAIL and "signal 4" in check.seen


@pytest.mark.parametrize("error", [RepairStore("db", "broken"), OSError("gone")])
def test_a_check_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def broken() -> Check:
        raise error

    monkeypatch.setattr(doctor, "check_python", broken)
    monkeypatch.setattr(doctor, "_tensors", lambda home, fresh: [])
    checks = {check.name: check for check in doctor.examine(tmp_path)}
    assert checks["python"].verdict is Verdict.FAIL
    assert checks["writing"].verdict is Verdict.OK
    assert doctor.verdict(list(checks.values())) == 1


def test_a_disk_that_grants_every_lock_is_told(tmp_path: Path) -> None:
    from luthier.stages.checks import places

    class NoLock:
        def execute(self, *_: object) -> None:
            return None

        def close(self) -> None:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places.sqlite3, "connect", lambda *a, **k: NoLock())
        assert check_locks(tmp_path).verdict is Verdict.FAIL
