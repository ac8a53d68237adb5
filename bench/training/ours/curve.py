"""A few updates of the real engine, leaving batches, first and last weights and losses behind."""

from __future__ import annotations

import json
from pathlib import Path

from gate import Gate
from ours.setting import beginning, workshop
from safetensors.torch import save_file

from luthier.data.feed.batches import EpochBatches
from luthier.train.fit import fit
from luthier.train.state import Budget


def main() -> None:
    """Trains and writes into the folder `place`."""
    gate = Gate()
    given = gate.given
    place, steps = Path(given["place"]), given["steps"]
    shop = workshop(given)
    step, state = beginning(shop)
    chosen = shop.part(shop.prepared.splits.train)
    batches = EpochBatches(shop.encoded, chosen, shop.batch_plan())
    fed = []
    for number in range(steps):
        rows = []
        for micro in batches.at(number):
            assert micro.mask is not None and micro.targets is not None
            lengths = micro.mask.sum(1).tolist()
            rows += [
                {"ids": ids[:length], "label": label}
                for ids, length, label in zip(
                    micro.ids.tolist(), lengths, micro.targets.tolist(), strict=True
                )
            ]
        fed.append(rows)
    (place / "batches.json").write_text(json.dumps(fed), encoding="utf-8")
    save_file(state.snapshot(), str(place / "first.safetensors"))
    fit(state, step, batches, Budget(steps))
    save_file(state.snapshot(), str(place / "last.safetensors"))
    losses = [value for _, name, value in state.curve if name == "loss"]
    (place / "losses.json").write_text(json.dumps(losses), encoding="utf-8")
    gate.tell(steps=steps)


if __name__ == "__main__":
    main()
