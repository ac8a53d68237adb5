"""Whether a repaired model may take the place of the one it was made from.

Every condition was fixed before the repair was tried, and each says what it measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from luthier.evaluate.interval import Comparison
from luthier.explain.attribution import Floats
from luthier.explain.bias.finding import FEWEST, Finding, corrected
from luthier.explain.bias.probed import Probed
from luthier.explain.bias.rates import interval_of

QUALITY, LESS, LEVEL, NEW, CALIBRATED, SEEDS = (
    "quality is not inferior",
    "less bias on held-out words",
    "no group is made worse",
    "no new difference",
    "calibration is kept",
    "it holds for every seed",
)


@dataclass(frozen=True)
class Limits:
    """What is asked: points of the metric that may be lost, share of the bias that must go, and by
    how much the calibration error may grow."""

    margin: float = 0.02
    less: float = 0.30
    calibration: float = 0.02


@dataclass(frozen=True)
class Condition:
    """One condition: whether it held, what was measured, and the number with its interval."""

    name: str
    held: bool
    says: str
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Seen:
    """What was measured of one model: probes of held-out words and of all others, by name."""

    held: Mapping[str, Probed]
    others: Mapping[str, Probed]

    def findings(self) -> list[Finding]:
        """Corrected findings of every probe."""
        probes = {**self.held, **self.others}
        return corrected([f for name, one in probes.items() for f in one.findings(name)])

    def gaps(self) -> dict[tuple[str, str], Floats]:
        """Draws of each gap, by measure and group as findings name them."""
        return {
            (f"{kind}, {name}", word): gap[:, place]
            for name, one in {**self.held, **self.others}.items()
            for kind, gap in one.gaps.items()
            for place, word in enumerate(one.words)
        }

    @property
    def bias(self) -> Floats:
        """Wrongly flagged differences of held-out words, added over the probes (draws,)."""
        return np.asarray(sum(one.fped for one in self.held.values()))


def judged(
    before: Seen,
    after: Seen,
    quality: Sequence[Comparison],
    calibration: Comparison,
    limits: Limits,
) -> list[Condition]:
    """The conditions of one repaired model, measured on the same rows and carriers as before; of
    several metrics of quality the one that lost most counts."""
    return [
        _quality(min(quality, key=lambda c: c.difference.low), limits),
        _less(before, after, limits),
        _level(before, after, limits),
        _new(before, after),
        _calibrated(calibration, limits),
    ]


def of_seeds(each: Sequence[Sequence[Condition]]) -> list[Condition]:
    """For every condition its worst seed, and whether all held for all seeds."""
    found = []
    for same in zip(*each, strict=True):
        failed = [c for c in same if not c.held]
        found.append(failed[0] if failed else same[0])
    good = [all(c.held for c in one) for one in each]
    says = f"{sum(good)} of {len(good)} seeds met every condition"
    return [*found, Condition(SEEDS, all(good), says)]


def _quality(quality: Comparison, limits: Limits) -> Condition:
    """Non-inferiority: the one-sided 95 % bound, which is the lower end of an interval at 0.9."""
    gap = quality.difference
    says = (
        f"{quality.metric} moved by {100 * gap.value:+.1f} points ({100 * gap.low:+.1f} to "
        f"{100 * gap.high:+.1f}); at most {100 * limits.margin:g} may be lost. The smallest "
        f"margin these rows can certify is {100 * (gap.high - gap.low) / 2:.1f}"
    )
    held = gap.low > -limits.margin
    return Condition(QUALITY, held, says, gap.value, gap.low, gap.high)


def _less(before: Seen, after: Seen, limits: Limits) -> Condition:
    fewest = min((one.negatives for one in before.held.values()), default=0)
    if fewest < FEWEST:
        says = f"cannot say: {fewest} texts that should pass, {FEWEST} are needed"
        return Condition(LESS, False, says)
    old, new = before.bias, after.bias
    if old[0] == 0:
        return Condition(LESS, False, "there was none before")
    with np.errstate(invalid="ignore", divide="ignore"):
        share = interval_of(1 - new / old)
    ends = (share.low, share.high) if share.value >= 0 else (-share.high, -share.low)
    says = (
        f"FPED {old[0]:.2f} before, {new[0]:.2f} after: {100 * abs(share.value):.0f} % "
        f"{'less' if share.value >= 0 else 'more'} ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %); "
        f"at least {100 * limits.less:g} % less, and less for sure, are asked"
    )
    held = bool(share.value >= limits.less and share.low > 0)
    return Condition(LESS, held, says, share.value, share.low, share.high)


def _level(before: Seen, after: Seen, limits: Limits) -> Condition:
    """The worst group's own quality: the mean of its two rates of right answers."""
    old, new = (_own(seen) for seen in (before, after))
    worst = min(old, key=lambda word: float(old[word][0]))
    now = min(new, key=lambda word: float(new[word][0]))
    moved = interval_of(np.min(list(new.values()), 0) - np.min(list(old.values()), 0))
    # Holm's first step for every group, one-sided.
    level = 1 - 0.1 / len(old)
    lost = [w for w in old if interval_of(new[w] - old[w], level).high < -limits.margin]
    says = (
        f"right answers of the worst group ({worst!r} before, {now!r} after) moved by "
        f"{100 * moved.value:+.1f} points ({100 * moved.low:+.1f} to {100 * moved.high:+.1f})"
    )
    if lost:
        says += f"; surely worse by more than the margin: {', '.join(sorted(lost))}"
    held = moved.value >= 0 and not lost
    return Condition(LEVEL, held, says, moved.value, moved.low, moved.high)


def _own(seen: Seen) -> dict[str, Floats]:
    return {
        f"{word}, {name}" if len(seen.held) > 1 else word: right[:, place]
        for name, one in seen.held.items()
        for right in [one.right]
        for place, word in enumerate(one.words)
    }


def _new(before: Seen, after: Seen) -> Condition:
    known = {(f.measure, f.group) for f in before.findings() if f.verdict == "found"}
    old, new = before.gaps(), after.gaps()
    grown = []
    for one in after.findings():
        key = (one.measure, one.group)
        if one.verdict != "found" or key in known:
            continue
        if interval_of(np.abs(new[key]) - np.abs(old[key])).low > 0:
            grown.append(f"{one.group!r} ({one.measure})")
    says = f"new or larger: {', '.join(grown)}" if grown else "none that is new and surely larger"
    return Condition(NEW, not grown, says)


def _calibrated(calibration: Comparison, limits: Limits) -> Condition:
    gap = calibration.difference
    says = (
        f"the calibration error moved from {calibration.base:.3f} to {calibration.tuned:.3f}; it "
        f"may grow by {limits.calibration:g}"
    )
    return Condition(
        CALIBRATED, gap.value <= limits.calibration, says, gap.value, gap.low, gap.high
    )
