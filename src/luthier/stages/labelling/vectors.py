"""Vectors of texts from the untouched base, kept by what they were made of."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from luthier.core.errors import FixModel
from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.example import encode_texts
from luthier.evaluate.predictions import FloatArray
from luthier.models.base import stated_pooling
from luthier.models.network import Network
from luthier.recipe.recipe import Recipe
from luthier.stages.parts.answers import Exam, features
from luthier.stages.predicting import without_truth
from luthier.stages.workshop import open_base, open_contract, pad_id
from luthier.store.artefacts import Artefacts

FILE = "vectors.npy"


class Reader:
    """Pooled vectors of a recipe's base model; texts that were read before are not read again."""

    def __init__(self, recipe: Recipe, artefacts: Artefacts, progress: Progress) -> None:
        """Loads the base.

        Raises: FixModel for a base that is no encoder.
        """
        self._artefacts, self._progress = artefacts, progress
        self._base = open_base(recipe, Task.CLASSIFY, progress)
        if self._base.kind != "encoder":
            raise FixModel(
                f"model {self._base.spec.id}",
                "questions are chosen by an encoder's vectors and this is none",
                "an encoder",
                "set model.id: embedded:encoder in the recipe that labels are given for",
            )
        self._contract = open_contract(recipe, self._base, Task.CLASSIFY)

    @property
    def hash(self) -> str:
        """What vectors depend on besides the texts."""
        return hash_value([self._base.hash, self._contract.hash])

    def read(self, texts: Sequence[str]) -> FloatArray:
        """Vectors (N, D) in float32."""
        key = hash_value({"stage": "vectors 1", "by": self.hash, "texts": hash_value(list(texts))})
        shelf = self._artefacts.shelf(key)
        if shelf is None:
            with tempfile.TemporaryDirectory() as temporary:
                made = Path(temporary) / "vectors"
                made.mkdir()
                np.save(made / FILE, self._vectors(texts), allow_pickle=False)
                shelf = self._artefacts.shelve(key, made)
        return np.asarray(np.load(shelf / FILE, allow_pickle=False))

    def _vectors(self, texts: Sequence[str]) -> FloatArray:
        if not texts:
            return np.empty((0, self._base.width), np.float32)
        self._progress.start("reading the texts", None, "")
        network = Network(self._base.network, None, stated_pooling(self._base), self._base.kind)
        encoded = without_truth(encode_texts(list(texts), self._contract), Task.CLASSIFY)
        plan = BatchPlan(32, 0, pad_id(self._base))
        exam = Exam(encoded, np.arange(len(texts)), None, plan)  # type: ignore[arg-type]
        return features(network, exam)
