"""What fine-tuning changed, in sentences: the shortcuts that turn most answers stand first."""

from __future__ import annotations

from typing import Any

from luthier.stages.explaining.change.show import TOLD, sentences_of


def _told(turned: list[float]) -> dict[str, Any]:
    words = [
        {
            "word": f"word{place}", "label": "a", "rows": 30, "share": 0.9, "base": 0.4,
            "turned": share, "read": 40, "verdict": "shortcut",
        }
        for place, share in enumerate(turned)
    ]  # fmt: skip
    shortcuts = {
        "looked_at": words, "associated": len(words), "confirmed": words, "too_rare": 0,
        "silent": [],
    }  # fmt: skip
    return {
        "shift": {"value": 0.4, "low": None, "high": None}, "rows": 50, "answers": None,
        "looked_at": 0, "shortcuts": shortcuts,
    }  # fmt: skip


def test_few_shortcuts_have_a_sentence_and_none_is_lost() -> None:
    turned = [0.02 * place for place in range(TOLD + 3)]
    lines = sentences_of(_told(turned))
    own = [line for line in lines if line.startswith("Shortcut:")]
    assert len(own) == TOLD and f"'word{TOLD + 2}'" in own[0]
    (rest,) = [line for line in lines if line.startswith("Shortcuts that turn fewer")]
    assert [f"'word{place}'" in rest for place in range(TOLD + 3)] == [True] * 3 + [False] * TOLD


def test_where_all_have_a_sentence_nothing_is_added() -> None:
    lines = sentences_of(_told([0.1]))
    assert not any(line.startswith("Shortcuts that turn") for line in lines)
