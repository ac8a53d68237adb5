"""What rules or a teacher made of a pool, for people."""

from __future__ import annotations

from typing import Any

from luthier.cli.answers import show_table


def show_weak(found: dict[str, Any]) -> None:
    """A table of the rules, or the teacher's threshold, and where the labels are."""
    for note in found["notes"]:
        print(note)
    if found["source"] == "rule":
        columns = ("rule", "label", "votes", "coverage", "accuracy on known labels", "judged")
        rows = [
            (
                r["rule"],
                r["label"],
                r["votes"],
                _ends(r["coverage"]),
                _ends(r["accuracy"]),
                r["judged"],
            )
            for r in found["rules"]
        ]
        show_table("", columns, rows)
        worth = _ends(found["label_model_accuracy"])
        print(f"label model {found['label_model']}, accuracy on known labels {worth}")
        print(f"{found['conflicts']} texts got votes for different labels")
    else:
        precision = _ends(found["precision"])
        print(f"sure from a score of {found['score_from']:.3f}, precision {precision} there")
    print(f"{found['written']} of {found['rows']} rows labelled, in {found['out']}")
    print("they may teach and never measure: give data.validation and data.test of people's labels")


def _ends(found: dict[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
