"""Puts what a bias audit or a repair found onto the report of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.core.files import write_json, write_text
from luthier.stages.page.bias import BiasPart, with_audit, with_repair
from luthier.stages.page.data import ReportData
from luthier.stages.report_page import render


def show_bias(folder: Path, page: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Writes report.json and report.html again; `page` is the report as it was saved.

    Raises: CheckRun for a report of another version; FreeDisk.
    """
    data = ReportData.from_dict(page)
    data = replace(data, bias=with_audit(data.bias or BiasPart(), told))
    write_json(folder / "report.json", data.as_dict())
    write_text(folder / "report.html", render(data))


def show_repair(folder: Path, page: dict[str, Any], told: Mapping[str, Any]) -> None:
    """The same with what a repair tried and decided.

    Raises: CheckRun for a report of another version; FreeDisk.
    """
    data = ReportData.from_dict(page)
    data = replace(data, bias=with_repair(data.bias or BiasPart(), told))
    write_json(folder / "report.json", data.as_dict())
    write_text(folder / "report.html", render(data))
