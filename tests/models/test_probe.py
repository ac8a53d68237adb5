"""Number formats are tried where they can't hurt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luthier.models import probe
from luthier.models.probe import (
    ProbeResult,
    best_precision,
    known_precision,
    load_probe,
    may_have_cuda,
    probe_precision,
)


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(probe, "_CHILD", code)


def test_a_format_that_kills_the_process_is_marked_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = """
import json, os, signal
for name in {dtypes!r}:
    if name == "bfloat16":
        os.kill(os.getpid(), signal.SIGILL)
    print(json.dumps(dict(dtype=name, works=True, gflops=5.0)), flush=True)
"""
    child(monkeypatch, code)
    results = probe_precision("cpu")
    assert list(results) == ["float32", "bfloat16", "float16"]
    assert results["float32"] == results["float16"] == ProbeResult(True, 5.0)
    assert results["bfloat16"] == ProbeResult(False, reason="the process was killed by signal 4")


def test_a_format_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "import time; {dtypes!r}; time.sleep(60)")
    results = probe_precision("cpu", ["float16"], patience_s=0.3)
    assert results == {"float16": ProbeResult(False, reason="no answer in time")}


def test_the_last_line_of_a_crash_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "{dtypes!r}; raise SystemError('no such driver')")
    assert "no such driver" in probe_precision("cpu", ["float16"])["float16"].reason


def results_of(**speeds: float | None) -> dict[str, ProbeResult]:
    return {
        name: ProbeResult(speed is not None, speed, "" if speed is not None else "dead")
        for name, speed in speeds.items()
    }


@pytest.mark.parametrize(
    ("speeds", "best"),
    [
        ((10.0, 9.0, 9.0), "float32"),
        ((10.0, 11.9, 11.9), "float32"),
        ((10.0, 12.0, 30.0), "bfloat16"),
        ((10.0, None, 30.0), "float16"),
        ((10.0, None, None), "float32"),
    ],
)
def test_best_precision(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    speeds: tuple[float | None, ...],
    best: str,
) -> None:
    results = results_of(**dict(zip(probe.DTYPES, speeds, strict=True)))
    monkeypatch.setattr(probe, "probe_precision", lambda device: results)
    assert known_precision("cuda", tmp_path) is None
    assert best_precision("cuda", tmp_path) == best
    assert known_precision("cuda", tmp_path) == best


def test_on_a_processor_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe, "probe_precision", lambda device: pytest.fail("it was measured"))
    assert known_precision("cpu", tmp_path) == best_precision("cpu", tmp_path) == "float32"


@pytest.mark.parametrize(
    ("system", "torch_version", "may"),
    [("Darwin", "2.13.0", False), ("Linux", "2.13.0+cpu", False), ("Windows", "2.13.0", True)],
)
def test_where_a_card_may_be(
    monkeypatch: pytest.MonkeyPatch, system: str, torch_version: str, may: bool
) -> None:
    monkeypatch.setattr(probe.platform, "system", lambda: system)
    monkeypatch.setattr(probe, "version", lambda name: torch_version)
    assert may_have_cuda() is may


def test_results_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured = []

    def measure(device: str) -> dict[str, ProbeResult]:
        measured.append(device)
        return results_of(float32=1.0, bfloat16=2.0, float16=None)

    monkeypatch.setattr(probe, "probe_precision", measure)
    first = load_probe("cpu", tmp_path)
    assert load_probe("cpu", tmp_path) == first
    assert measured == ["cpu"]
    load_probe("cpu", tmp_path, fresh=True)
    load_probe("cuda", tmp_path)
    assert measured == ["cpu", "cpu", "cuda"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"float32": 3}', '{"float32": {"a": 1}}'])
def test_a_damaged_file_is_measured_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    results = results_of(float32=1.0, bfloat16=2.0, float16=None)
    monkeypatch.setattr(probe, "probe_precision", lambda device: results)
    load_probe("cpu", tmp_path)
    [kept] = (tmp_path / "probe").iterdir()
    whole = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(content, encoding="utf-8")
    assert load_probe("cpu", tmp_path) == results
    assert json.loads(kept.read_text(encoding="utf-8")) == whole
