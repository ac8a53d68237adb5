"""What `luthier audit --bias` says at its end: where it stands, and what may be done."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.cli.bias.view import show_next


def _told(verdict: str, **more: Any) -> dict[str, Any]:
    return {"findings": [{"verdict": verdict}], **more}


def test_a_difference_leads_to_a_repair(capsys: pytest.CaptureFixture[str]) -> None:
    show_next(_told("found", choices={}), "last", ["hate speech", "rude"])
    out = capsys.readouterr().out
    assert "luthier repair last --positive 'hate speech' --positive rude" in out
    assert "bias.json" in out


@pytest.mark.parametrize(
    "told",
    [_told("none", choices={}), _told("found")],
    ids=["nothing found", "a model that writes"],
)
def test_nothing_to_repair_leads_to_none(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    show_next(told, "last", [])
    assert "repair" not in capsys.readouterr().out
