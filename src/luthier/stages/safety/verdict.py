"""What is proved and what was demonstrated, side by side, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TELLS_LITTLE = 5.0
"""From this epsilon on the factor is so large that the proof alone promises little."""


def sentences(told: Mapping[str, Any]) -> dict[str, list[str]]:
    """`proved`, `demonstrated`, `together` and `luck` (of rows that stand out), each some
    sentences."""
    proof, shown = told["proved"], told["demonstrated"]
    return {
        "proved": proved(proof),
        "demonstrated": [*_membership(told), *_bound(shown), *_texts(told)],
        "together": [_together(proof, shown)],
        "luck": [_luck(told["membership"]["members"], len(told["exposed"]))],
    }


def proved(proof: Mapping[str, Any] | None) -> list[str]:
    """What the accountant promises, or that nothing is promised."""
    if proof is None:
        return [
            "Nothing is proved: this run was not trained under differential privacy. Whatever "
            "attacks find below is a lower limit of what others may find."
        ]
    epsilon, delta = proof["epsilon"], proof["delta"]
    whom = "one row" if proof["unit"] == "example" else f"everything of one {proof['unit']}"
    found = [
        f"Whoever sees the model, now or later, with any attack and any side knowledge: whether "
        f"{whom} was in the training data changes the odds of whatever they conclude by at most "
        f"a factor of {_factor(epsilon)} (epsilon {epsilon:.2f}), except with a chance of "
        f"{delta:g}."
    ]
    if epsilon > _TELLS_LITTLE:
        found.append(
            "That factor is large: by the proof alone a determined attacker might learn much. "
            "What attacks achieve in practice stands beside it, and is no guarantee."
        )
    if "dataset_epsilon" in proof:
        found.append(
            f"All private runs on this data set together: epsilon {proof['dataset_epsilon']:.2f}."
        )
    found.append(
        "Not covered: what is typed into the finished model, the untouched base, the list of "
        "labels, the number of rows, and facts that many rows share. The report and the other "
        "files of the run are not covered either, as they show words, scores and row numbers: they "
        "are for those who may see the data, and the model is what may be given to others."
    )
    return found


def _factor(epsilon: float) -> str:
    return f"{math.exp(epsilon):,.2f}" if epsilon < 3 else f"{math.exp(min(epsilon, 700)):,.0f}"


def _membership(told: Mapping[str, Any]) -> list[str]:
    found, area = told["membership"], told["membership"]["area"]
    lines = [
        f"Given a row that was trained on and one that was not, the attack names the right one in "
        f"{area['value']:.1%} of cases (95 % interval {area['low']:.1%} to {area['high']:.1%}; "
        f"guessing: 50 %). It compared {found['members']:,} rows with {found['others']:,}, against "
        f"{found['reference']}."
    ]
    for rate, share in found["found_at"].items():
        alarm = f"{float(rate):.1%}"
        if isinstance(share, str):
            fewest = math.ceil(3 / float(rate))
            lines.append(
                f"At {alarm} false accusations: not measurable, as that takes {fewest:,} rows that "
                f"were not trained on, and there are {found['others']:,}."
            )
        else:
            lines.append(
                f"Allowed to accuse {alarm} of the innocent rows, it finds {share['value']:.2%} of "
                f"the rows that were trained on ({share['low']:.2%} to {share['high']:.2%})."
            )
    return lines


def _luck(members: int, shown: int) -> str:
    """How high the highest of many rows score although nothing leaks."""
    first, last = 1 / (members + 1), shown / (members + 1)
    return (
        f"Some rows stand out by chance alone: where nothing leaks, the first of {members:,} would "
        f"have about {first:.2%} and the last one shown about {last:.2%}. Only a share clearly "
        "below that, its interval included, tells of a row: leave it out, or blacken what names a "
        "person."
    )


def _bound(shown: Mapping[str, Any]) -> list[str]:
    if shown["epsilon"] <= 0:
        return [
            "From this attack no leak follows with 95 % confidence: it demonstrates epsilon 0. "
            "That is what this attack could do, not what is possible."
        ]
    return [
        f"With 95 % confidence this attack demonstrates an epsilon of at least "
        f"{shown['epsilon']:.2f} ({shown['correct']:,} of {shown['guesses']:,} guesses right)."
    ]


def _texts(told: Mapping[str, Any]) -> list[str]:
    lines = []
    if secrets := told["secrets"]:
        worst = max(secrets, key=lambda s: s["bits"])
        lines.append(
            f"Of {len(secrets)} numbers in the training rows, the most exposed is number "
            f"{worst['rank']} among {worst['among']} of its form, in row {worst['row']}: "
            f"{worst['bits']:.1f} bits easier than guessing, of at most {worst['at_most']:.1f} "
            "that so many candidates can show."
        )
    if passages := told["extraction"]:
        lines.append(
            f"Given the beginning of a training passage, the tuned model writes the next "
            f"{passages['tokens']} tokens word for word in {passages['tuned']['value']:.1%} of "
            f"{passages['passages']} passages (up to {passages['tuned']['high']:.1%}); of "
            f"passages it never saw {passages['unseen']['value']:.1%}, and the untouched base "
            f"{passages['base']['value']:.1%}."
        )
    return lines


def _together(proof: Mapping[str, Any] | None, shown: Mapping[str, Any]) -> str:
    least = shown["epsilon"]
    if proof is None:
        return f"Proved: nothing. Demonstrated: epsilon at least {least:.2f}."
    most = proof["epsilon"]
    if least > most:
        return (
            f"Contradiction: proved is at most {most:.2f}, demonstrated is at least {least:.2f}. "
            "Either the mechanism is broken or the rows were not divided by chance. Do not release "
            "this model."
        )
    return (
        f"Proved: epsilon at most {most:.2f}. Demonstrated: at least {least:.2f}. No violation was "
        "found; the truth lies between the two."
    )
