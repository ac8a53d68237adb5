"""What `luthier attack` says to people: intervals everywhere, and what may be done."""

from __future__ import annotations

import pytest

from luthier.cli.views.attack import show_attacks, show_certificate

HALF = {"value": 0.5, "low": 0.4, "high": 0.6}
CLASSES = {
    "attacks": [
        {"attack": "typos", "rows": 60, "accuracy": HALF, "robust_accuracy": HALF,
         "success": {"100": HALF, "1000": HALF}, "thrown_away": {"a": 2, "b": 3}}
    ],
    "advice": ["To train with what fits: this."],
}  # fmt: skip


def test_each_share_has_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    show_attacks(CLASSES, brief=False)
    told = capsys.readouterr().out
    assert told.count("0.500 [0.400, 0.600]") == 4
    assert "within 1000 queries" in " ".join(told.split()) and "this." in told
    show_attacks(CLASSES, brief=True)
    assert "this." not in capsys.readouterr().out


def test_refusals_and_certificates_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"attack": "rot13", "rows": 9, "refused_plainly": HALF, "refused": HALF}
    show_attacks({"attacks": [one], "advice": []}, brief=False)
    assert capsys.readouterr().out.count("[0.400, 0.600]") == 2
    show_certificate({"certified": {"0": HALF, "1": HALF}, "rows": 7})
    told = capsys.readouterr().out
    assert told.count("7 rows") == 2 and "1 words exchanged" in told
