"""What is written into a ledger: charges, and plans that hold a part of the budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from luthier.core.errors import RepairStore
from luthier.privacy.event import Bounded, Event, Sampled

SAMPLED = "poisson-gaussian"
"""The mechanism of private training: noisy sums over Poisson samples."""

SELECTION = "selection"
"""The mechanism of a private search, of which epsilon and delta are known."""


@dataclass(frozen=True)
class Charge:
    """`steps` uses of a mechanism by a run.

    Of `poisson-gaussian` noise multiplier, sampling rate and steps count; of `selection` epsilon
    and delta do.
    """

    run: str
    mechanism: str
    noise: float
    rate: float
    steps: int
    epsilon: float = 0.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        self.event()

    def event(self) -> Event:
        """What an accountant adds up.

        Raises: FixRecipe for numbers that no mechanism has.
        """
        if self.mechanism == SELECTION:
            return Bounded(self.epsilon, self.delta)
        return Sampled(self.noise, self.rate, self.steps)

    def as_dict(self) -> dict[str, Any]:
        """The payload of a ledger's entry."""
        return asdict(self)

    @staticmethod
    def from_dict(payload: dict[str, Any], place: str) -> Charge:
        """The charge of a payload.

        Raises: RepairStore when it is none.
        """
        try:
            return Charge(**payload)
        except Exception as error:
            raise RepairStore(
                place, f"an entry is no charge ({error})", advice="restore the file from a copy"
            ) from error


def merged(charges: Iterable[Charge]) -> list[Event]:
    """The events of charges, with equal mechanisms joined, so that they are priced at once."""
    steps: dict[tuple[float, float], int] = {}
    others: list[Event] = []
    for charge in charges:
        event = charge.event()
        if isinstance(event, Sampled):
            steps[event.noise, event.rate] = steps.get((event.noise, event.rate), 0) + event.steps
        else:
            others.append(event)
    sampled = [Sampled(noise, rate, n) for (noise, rate), n in sorted(steps.items()) if n]
    return [*sampled, *others]


def held(charges: Sequence[Charge], plans: Sequence[Charge]) -> list[Charge]:
    """What plans hold beyond what their runs were already charged."""
    rest = []
    for plan in plans:
        done = [c for c in charges if c.run == plan.run]
        if plan.mechanism == SELECTION:
            rest += [] if any(c.mechanism == SELECTION for c in done) else [plan]
            continue
        alike = (plan.mechanism, plan.noise, plan.rate)
        used = sum(c.steps for c in done if (c.mechanism, c.noise, c.rate) == alike)
        if used < plan.steps:
            rest.append(Charge(plan.run, *alike, plan.steps - used))
    return rest
