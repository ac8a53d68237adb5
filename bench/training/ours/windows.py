"""Training in windows with the real engine: EpochBatches, fit, PlainGradient, Descent."""

from __future__ import annotations

from gate import Gate, spread
from ours.setting import AtGate, Counted, Picked, beginning, workshop

from luthier.data.feed.batches import EpochBatches
from luthier.train.fit import fit
from luthier.train.state import Budget


def main() -> None:
    """Trains until there is no further window."""
    gate = Gate()
    given = gate.given
    shop = workshop(given)
    step, state = beginning(shop)
    chosen = shop.part(shop.prepared.splits.train)
    epoch = EpochBatches(shop.encoded, chosen, shop.batch_plan(packed=True))
    whole = len(chosen) // given["recipe"]["train"]["batch_size"]
    sizes = [
        float(sum(m.ids.numel() for m in batch)) if batch.size == 32 else -1.0
        for batch in (epoch.at(s) for s in range(epoch.steps_per_epoch))
    ]
    full = [s for s, size in enumerate(sizes) if size > 0][:whole]
    picked = spread([sizes[s] for s in full], given["windows"], given["steps"])
    order = [full[0]] * given["warm"] + [full[i] for i in picked]
    fit(state, step, Counted(Picked(epoch, order), gate), Budget(), [AtGate(gate)])


if __name__ == "__main__":
    main()
