"""Examples that compute without training: attention boundaries and the paired interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import packing
import paired_bootstrap
import pytest
import torch

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.evaluate.interval import bootstrap, paired
from luthier.evaluate.predictions import ClassPredictions
from luthier.models.heads.language import token_nll
from tiny import make_bench, make_tokenizer


def test_packing(tmp_path: Path) -> None:
    model = packing.tiny_llama()
    model.save_pretrained(str(tmp_path))
    make_tokenizer().save_pretrained(str(tmp_path))
    bench = make_bench(tmp_path, Task.ADAPT)
    rows = [bench.encoded.ids[i].tolist() for i in range(8)]
    batch = bench.batches(pack_tokens=96).collate(bench.all[:8])
    bench.network.mode(False, False)
    with torch.no_grad():
        nll, owner = token_nll(bench.network, batch)
        together = packing.packed_losses(model, rows)
        apart = packing.padded_losses(model, rows)
        leaking = packing.packed_losses(model, rows, boundaries=False)
    ours = [nll[owner == row] for row in range(8)]
    # Nats of about six in float32, with sums in another order: 1e-5 is some twenty roundings.
    assert packing.furthest(together, apart) < 1e-5
    assert packing.furthest(together, ours) < 1e-5
    assert packing.furthest(leaking, apart) > 0.1


def _answers(right: paired_bootstrap.Right) -> ClassPredictions:
    """Sure answers, the first label being the true one."""
    probabilities = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    rows = np.arange(len(right))
    return ClassPredictions(("yes", "no"), np.zeros(len(right), int), probabilities, rows)


@pytest.mark.parametrize("rows", [40, 200])
def test_paired_bootstrap(rows: int) -> None:
    base, tuned = paired_bootstrap.tiny_answers(rows)
    seed = derive(7, "bootstrap", rows, 300)
    mine = paired_bootstrap.compare(base, tuned, 300, seed)
    ours = paired(_answers(base), _answers(tuned), ["accuracy"], 300, 7)["accuracy"]
    # The same draws from the same generator: equal but for the order of a sum.
    assert (mine.value, mine.low, mine.high) == pytest.approx(
        (ours.difference.value, ours.difference.low, ours.difference.high), abs=1e-12
    )
    assert ours.test == "McNemar exact"
    assert mine.p_value == pytest.approx(ours.p_value, rel=1e-9)
    alone = bootstrap(_answers(tuned), ["accuracy"], 300, 7)["accuracy"]
    low, high = paired_bootstrap.single_interval(tuned, 300, seed)
    assert (low, high) == pytest.approx((alone.low, alone.high), abs=1e-12)


def test_equal_models_do_not_differ() -> None:
    base, _ = paired_bootstrap.tiny_answers()
    found = paired_bootstrap.compare(base, base.copy(), 100)
    assert (found.value, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
