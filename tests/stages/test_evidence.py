"""Evidence of a run: measured, missing, stale."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from luthier.core.errors import CheckRun
from luthier.stages.safety.evidence import refresh_evidence, standing, write_evidence

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_measured_facts_go_stale_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckRun, match="no metrics"):
        write_evidence(tmp_path, False, NOW)
    (tmp_path / "metrics.json").write_text(json.dumps({"tuned": {"accuracy": 0.9}}))
    told = write_evidence(tmp_path, False, NOW)
    assert told["left_out"] == 2
    status = {x["what"]: x["status"] for x in standing(tmp_path, NOW)}
    assert status["test sets and metrics are documented"] == "measured"
    assert status["privacy bound of training"] == "missing"
    later = {x["status"] for x in standing(tmp_path, NOW + timedelta(days=999))}
    assert later == {"stale", "missing"}
    (tmp_path / "metrics.json").write_text("{}")
    assert any("changed" in x["why"] for x in standing(tmp_path, NOW) if x["status"] == "stale")
    (tmp_path / "evidence.json").write_text("{")
    with pytest.raises(CheckRun, match="no evidence"):
        standing(tmp_path, NOW)


def test_an_audit_is_evidence_once_it_was_made(tmp_path: Path) -> None:
    audited = "attacks on privacy: membership and extraction"
    refresh_evidence(tmp_path, False)
    assert not (tmp_path / "evidence.json").exists()
    (tmp_path / "metrics.json").write_text(json.dumps({"tuned": {"accuracy": 0.9}}))
    write_evidence(tmp_path, False, NOW)
    assert _status(tmp_path)[audited] == "missing"
    for members in (30, 40):
        (tmp_path / "audit.json").write_text(json.dumps({"membership": {"members": members}}))
        refresh_evidence(tmp_path, False)
        assert _status(tmp_path)[audited] == "measured"
    later = {x["status"] for x in standing(tmp_path, NOW + timedelta(days=999))}
    assert "measured" not in later
    (tmp_path / "metrics.json").write_text("{}")
    refresh_evidence(tmp_path, False)
    assert set(_status(tmp_path).values()) == {"stale", "missing"}


def _status(folder: Path) -> dict[str, str]:
    return {x["what"]: x["status"] for x in standing(folder, NOW)}
