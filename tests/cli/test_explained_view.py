"""What `luthier explain` prints: the method and its faithfulness, the true label, the page."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.cli.views.explained import show_explained

FAITH = {"overall": {"value": 0.891, "low": 0.8, "high": 0.95}}
ONE = {
    "text": "so annoying", "answer": None, "label": "neither", "notes": [], "gap": 0.012,
    "words": [{"word": "so", "score": -0.1}, {"word": "annoying", "score": 2.0}],
    "claims": [{"says": "The model answers 'offensive'."}], "format": 0.0,
}  # fmt: skip


def _told(**changes: Any) -> dict[str, Any]:
    gate = {"texts": 16, "faith": {"ablation": FAITH}}
    return {
        "notes": [], "method": "ablation", "level": "analyst", "gate": gate, "page": "there.html",
        "explanations": [ONE], **changes,
    }  # fmt: skip


def test_the_method_stands_with_its_faithfulness(capsys: pytest.CaptureFixture[str]) -> None:
    show_explained(_told())
    out = capsys.readouterr().out
    assert "ablation: faithfulness 0.89 [0.80, 0.95] on 16 validation texts" in out
    assert "true label: neither" in out and "there.html" in out
    assert out.index("annoying +2.00") < out.index("so -0.10")
    assert "completeness gap" not in out


@pytest.mark.parametrize("changes", [{"gate": None}, {"method": "other"}], ids=["none", "other"])
def test_a_method_that_was_not_measured_has_no_number(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    show_explained(_told(**changes, level="engineer"))
    out = capsys.readouterr().out
    assert "Scores by" in out and "faithfulness" not in out
    assert "completeness gap 1.20 %" in out
