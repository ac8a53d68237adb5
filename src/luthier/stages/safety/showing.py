"""Puts what an audit found onto the report of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from luthier.core.files import write_json, write_text
from luthier.stages.page.checks import evidence_lines
from luthier.stages.page.data import ReportData
from luthier.stages.page.privacy import with_audit
from luthier.stages.report_page import render


def show_audit(folder: Path, page: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Writes report.json and report.html again; `page` is the report as it was saved.

    Raises: CheckRun for a report of another version; FreeDisk.
    """
    data = ReportData.from_dict(page)
    lines = evidence_lines(folder, datetime.now(UTC))
    data = replace(data, privacy=with_audit(data.privacy, told), evidence=lines)
    write_json(folder / "report.json", data.as_dict())
    write_text(folder / "report.html", render(data))
