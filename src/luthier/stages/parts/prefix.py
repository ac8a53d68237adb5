"""The frozen prefix run once per row, ragged and memory-mapped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from luthier.core.files import disk_errors
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import collate, sequential
from luthier.data.feed.ragged import Ragged
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam


def keep_prefix(
    network: Network, exam: Exam, below: int, folder: Path, progress: Progress
) -> Ragged:
    """Hidden states that enter layer `below` for the exam's examples; others stay zero. An exam
    with hidden states of a lower layer, below which the network is cut, goes on from them.

    The file holds tokens times width in float32; it is made anew at each start, as it costs one
    forward pass of the frozen layers.

    Raises: FreeDisk when it does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lengths = np.zeros(len(exam.encoded.ids), np.int64)
    sides = (0, 1) if exam.encoded.task is Task.PREFER else (0,)
    for side in sides:
        own = len(sides) * exam.examples + side
        lengths[own] = exam.encoded.ids.lengths[own]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    width = int(network.plain.config.hidden_size)
    network.mode(False, False)
    device = str(next(network.parameters()).device)
    progress.start("running the frozen layers once", len(exam.examples), "rows")
    with disk_errors(folder):
        values = open_memmap(folder / "hidden.npy", "w+", np.float32, (int(offsets[-1]), width))
        for part in sequential(exam.encoded, exam.examples, exam.plan, exam.rows_per_pass):
            batch = collate(exam.encoded, part, exam.plan, exam.hidden).to(device)
            hidden = network.run(partial(network.prefix, batch, below)).float().cpu().numpy()
            order = (np.stack([len(sides) * part + s for s in sides], 1)).reshape(-1)
            for line, index in enumerate(order):
                start, stop = offsets[index], offsets[index + 1]
                values[start:stop] = hidden[line, : stop - start]
            progress.advance(len(part))
        values.flush()
    return Ragged(np.load(folder / "hidden.npy", mmap_mode="r", allow_pickle=False), offsets)


def drop_prefix(folder: Path) -> None:
    """Removes a kept prefix; it can be made again at any time."""
    (folder / "hidden.npy").unlink(missing_ok=True)
