"""Planted gradients that tell whether the mechanism does what is accounted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from torch import Tensor

from luthier.core.errors import CheckRun
from luthier.train.private.chance import secret
from luthier.train.private.mechanism import Mechanism

SIZE = 10.0
"""Norm of a planted gradient in units of the bound, so that it has to be cut."""
ALARM = 1e-4
"""Chance that a mechanism in order is called broken: an alarm costs a run."""


@dataclass(frozen=True)
class Test:
    """One thing that was compared with what the declared mechanism would give.

    `found` is the number that should be `expected`, `chance` how likely a mechanism in order is
    at least as far off.
    """

    name: str
    found: float
    expected: float
    chance: float


@dataclass(frozen=True)
class Verdict:
    """What the audit says; `faults` are in words, and none means nothing was found."""

    steps: int
    canaries: int
    tests: tuple[Test, ...]
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """The same as JSON."""
        worst = min(self.tests, key=lambda t: t.chance, default=None)
        return {
            "steps": self.steps,
            "canaries": self.canaries,
            "tests": len(self.tests),
            "smallest_chance": None if worst is None else worst.chance,
            "false_alarms": ALARM,
            "faults": list(self.faults),
        }

    def demand(self) -> None:
        """Raises: CheckRun when the mechanism is broken."""
        if self.faults:
            raise CheckRun(
                "safety.privacy, the audit of the mechanism",
                "; ".join(self.faults),
                advice="do not use this model as a private one, and report the fault",
            )


@dataclass
class Canaries:
    """Gradients of known size in spare coordinates beside every trained tensor.

    In each step every canary is planted by a fair coin of its own. It is bounded, added, blurred
    and divided with everything else, so what comes out of its coordinate has a known distribution:
    a normal one of the declared deviation, moved by the bound where the canary was planted. The
    spare coordinates are no part of the model, and hold nothing of the data.
    """

    declared: Mechanism
    wanted: int = 1000
    _spare: int = 0
    _coins: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    _micro: int = 1
    _steps: int = 0
    _square: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _lift: float = 0.0
    _plain: float = 0.0
    _waves: list[float] = field(default_factory=list)

    @property
    def observed(self) -> int:
        """Steps that were observed."""
        return self._steps

    def place(self, tensors: int) -> int:
        """How many spare coordinates each of so many tensors gets."""
        self._spare = -(-self.wanted // tensors)
        self._square, self._mean = np.zeros(tensors), np.zeros(tensors)
        return self._spare

    def draw(self, micro: int) -> None:
        """Tosses the coins of a step of `micro` forward passes."""
        random = np.random.Generator(np.random.Philox(int.from_bytes(secret(0)[:16], "big")))
        self._coins = random.random((len(self._square), self._spare)) < 0.5
        self._micro = max(1, micro)

    def plant(self, number: int, mechanism: Mechanism, sums: Sequence[Tensor]) -> None:
        """Adds the canaries of forward pass `number`, bounded like any unit."""
        size = SIZE * self.declared.clip
        device = sums[0].device
        factors = mechanism.factors(torch.full((self._coins.size,), size, device=device))
        mine = np.arange(self._coins.size) % self._micro == number
        added = torch.from_numpy(self._coins & mine.reshape(self._coins.shape)).to(device)
        values = (factors.view(added.shape) * size) * added
        for total, part in zip(sums, values, strict=True):
            total[-self._spare :] += part

    def observe(self, sums: Sequence[Tensor]) -> None:
        """Takes up what came out, in units of the declared deviation."""
        spare = torch.stack([total[-self._spare :] for total in sums]).double().cpu().numpy()
        unit = self.declared.noise * self.declared.clip
        lift = self.declared.bounded(SIZE * self.declared.clip) / unit
        rest = spare * self.declared.divisor / unit - self._coins * lift
        self._steps += 1
        self._square += (rest**2).sum(1)
        self._mean += rest.sum(1)
        self._lift += float((rest * np.where(self._coins, 1.0, -1.0)).sum())
        self._plain += float(rest.sum())
        self._waves.append((float((rest**2).sum()) - rest.size) / math.sqrt(2 * rest.size))

    def verdict(self) -> Verdict:
        """Whether all that came out fits the declared mechanism.

        Raises: RuntimeError before the first step.
        """
        if not self._steps:
            raise RuntimeError("nothing was observed")
        tests = self._tests()
        limit = ALARM / len(tests)
        faults = tuple(
            f"{t.name} is {t.found:.3g} and should be {t.expected:.3g} (chance {t.chance:.1e})"
            for t in tests
            if not t.chance >= limit
        )
        return Verdict(self._steps, self._coins.size, tests, _shortened(faults))

    def _tests(self) -> tuple[Test, ...]:
        count = self._spare * self._steps
        whole = self._coins.size * self._steps
        lift = self.declared.bounded(SIZE * self.declared.clip) / self.declared.clip
        found = [
            Test(
                f"noise of trained tensor {i + 1}, as a multiple of what is declared,",
                math.sqrt(square / count),
                1.0,
                _two_sided_chi2(square, count),
            )
            for i, square in enumerate(self._square)
        ]
        more = self._lift / (whole / 2) * self.declared.noise / 2
        found.append(
            Test("a planted gradient's share, as a multiple of the bound,", lift + more, lift,
                 _two_sided(self._lift / math.sqrt(whole)))
        )  # fmt: skip
        found.append(
            Test("mean of the noise, in standard errors,", self._plain / math.sqrt(whole), 0.0,
                 _two_sided(self._plain / math.sqrt(whole)))
        )  # fmt: skip
        waves = float(np.square(self._waves).sum())
        found.append(
            Test("change of the noise from step to step, in standard errors,",
                 math.sqrt(waves / self._steps), 1.0, self._wave_chance(waves))
        )  # fmt: skip
        return tuple(found)

    def _wave_chance(self, waves: float) -> float:
        """The noise of a step is a chi-square of many degrees: nearly, not quite, a normal."""
        size = self._coins.size
        # The fourth moment of a standardised chi-square is 3 + 12 / degrees.
        spread = math.sqrt((2 + 12 / size) / 2)
        moved = self._steps + (waves - self._steps) / spread
        return float(chi2.sf(max(0.0, moved), self._steps))


def _two_sided(z: float) -> float:
    return float(2 * norm.sf(abs(z))) if math.isfinite(z) else 0.0


def _two_sided_chi2(value: float, degrees: int) -> float:
    if not math.isfinite(value):
        return 0.0
    return float(min(1.0, 2 * min(chi2.cdf(value, degrees), chi2.sf(value, degrees))))


def _shortened(faults: tuple[str, ...]) -> tuple[str, ...]:
    """The first few; a fault of all tensors would fill a page."""
    return faults if len(faults) <= 4 else (*faults[:4], f"and {len(faults) - 4} more")
