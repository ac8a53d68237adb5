"""What `luthier audit --bias` says at its end: where it stands, and what may be done."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.cli.bias.view import show_next


def _told(verdict: str, **more: Any) -> dict[str, Any]:
    return {"run": "20261125-7f3a2c", "findings": [{"verdict": verdict}], **more}


def test_a_difference_leads_to_a_repair(capsys: pytest.CaptureFixture[str]) -> None:
    show_next(_told("found", choices={}), ["hate speech", "rude"])
    out = capsys.readouterr().out
    assert "luthier repair 20261125-7f3a2c --positive 'hate speech' --positive rude" in out
    assert "bias.json" in out


@pytest.mark.parametrize(
    "told",
    [_told("none", choices={}), _told("found")],
    ids=["nothing found", "a model that writes"],
)
def test_nothing_to_repair_leads_to_none(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    show_next(told, [])
    assert "repair" not in capsys.readouterr().out
