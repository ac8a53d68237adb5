"""Erasure at the end of a training: fitted on its own vectors, and put into the output layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from luthier.core.files import write_bytes
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.example import encode_texts
from luthier.explain.bias.erasure import Erasure, erasure_of
from luthier.explain.repair import Concept
from luthier.stages.parts.answers import Exam, features
from luthier.stages.predicting import without_truth
from luthier.stages.workshop import Workshop

FILE = "erasure.safetensors"


def erase(shop: Workshop, concept: Concept, progress: Progress) -> Erasure:
    """Takes the concept out of what the output layer reads, and keeps the map in the run's folder.

    The layer's numbers are changed so that it reads erased vectors: whoever loads them applies it.

    Raises: FreeDisk.
    """
    progress.start("erasing what words of groups do", len(concept.texts), "texts")
    examples = encode_texts(concept.texts, shop.contract, with_offsets=False)
    encoded = without_truth(examples, Task.CLASSIFY)
    exam = Exam(encoded, np.arange(len(encoded)), shop.prepared.table, shop.batch_plan())
    vectors = features(shop.network, exam).astype(np.float64)
    found = erasure_of(vectors, concept.carriers, concept.words)
    output = shop.network.output
    assert isinstance(output, nn.Linear)
    weight = output.weight.detach().double().cpu().numpy()
    bias = output.bias.detach().double().cpu().numpy()
    weight, bias = found.merged(weight, bias)
    with torch.no_grad():
        output.weight.copy_(torch.from_numpy(weight))
        output.bias.copy_(torch.from_numpy(bias))
    _keep(shop, found)
    return found


def _keep(shop: Workshop, found: Erasure) -> None:
    from safetensors.numpy import save

    tensors = {
        name: np.ascontiguousarray(values, np.float32) for name, values in vars(found).items()
    }
    write_bytes(shop.folder / FILE, save(tensors))
