"""Rungs: ways to make a classifier from the labels there are, from none to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.evaluate.predictions import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Asked:
    """N texts as rungs see them: their words, the base's pooled vectors (N, D), their tokens where
    the encoder may be tuned, and where the base writes, log-likelihoods `wording` (N, 2, C) of
    class names after the text and of the text after class names.

    Raises: CheckRun when there are more or fewer vectors or token sequences than texts.
    """

    texts: Sequence[str]
    vectors: FloatArray
    tokens: Sequence[IntArray] | None = None
    wording: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.texts) != len(self.vectors):
            met = f"{len(self.texts)} texts and vectors of shape {self.vectors.shape}"
            raise CheckRun("rows of a rung", met, "one vector for each text")
        if self.tokens is not None and len(self.tokens) != len(self.texts):
            met = f"{len(self.texts)} texts and {len(self.tokens)} token sequences"
            raise CheckRun("rows of a rung", met, "one sequence for each text")
        if self.wording is not None and len(self.wording) != len(self.texts):
            met = f"{len(self.texts)} texts and likelihoods of {len(self.wording)}"
            raise CheckRun("rows of a rung", met, "those of each text")

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: IntArray) -> Asked:
        """The texts at `places`, in their order."""
        own = None if self.tokens is None else [self.tokens[int(i)] for i in places]
        said = None if self.wording is None else self.wording[places]
        return Asked([self.texts[int(i)] for i in places], self.vectors[places], own, said)


class Tuned(Protocol):
    """An encoder at weights that were tuned to some rows."""

    def read(self, asked: Asked) -> Asked:
        """The same texts with its vectors."""


class Earlier(Tuned, Protocol):
    """An encoder as an earlier run left it, tuned to rows of another task."""

    @property
    def name(self) -> str:
        """The run's."""


class Encoder(Protocol):
    """The encoder that made the vectors, where it may be tuned."""

    def seconds(self, known: Known) -> float:
        """What tuning to these rows is expected to take."""

    def tune(self, known: Known) -> Tuned:
        """Itself, tuned to the labelled rows; the same rows and seed give the same weights."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a rung may learn from.

    `truth` (N,) holds class numbers of `rows`; `described` (C) is what is said about each class,
    its name at least; `pool` texts nobody has labelled, perhaps none. `groups` (N,) are rows that
    belong together, such as one patient's; `weights` (N,) say how much a row counts. Both may be
    None. `prior` (C,) are the shares of classes where the model will be used, if they are known.
    `encoder` is None where the encoder has to stay as it is. `taught` (N,) are rows whose label no
    person gave: they are learnt from and never held out. `blank` are texts that say nothing, read
    by a base that writes; None for others. `earlier` are encoders of the same base that other
    tasks left.

    Raises: CheckRun when shapes do not agree.
    """

    labels: tuple[str, ...]
    rows: Asked
    truth: IntArray
    described: Asked
    pool: Asked
    groups: IntArray | None = None
    weights: FloatArray | None = None
    prior: FloatArray | None = None
    seed: int = 0
    encoder: Encoder | None = None
    taught: NDArray[np.bool_] | None = None
    blank: Asked | None = None
    earlier: tuple[Earlier, ...] = ()

    def __post_init__(self) -> None:
        count, classes = len(self.rows), len(self.labels)
        shapes = {
            "truth": (self.truth.shape, (count,)),
            "described": ((len(self.described),), (classes,)),
            "groups": (None if self.groups is None else self.groups.shape, (count,)),
            "weights": (None if self.weights is None else self.weights.shape, (count,)),
            "taught": (None if self.taught is None else self.taught.shape, (count,)),
            "prior": (None if self.prior is None else self.prior.shape, (classes,)),
        }
        for name, (met, wanted) in shapes.items():
            if met is not None and met != wanted:
                raise CheckRun(f"rung.{name}", f"shape {met}", f"shape {wanted}")
        if count and not (self.truth.min() >= 0 and self.truth.max() < classes):
            raise CheckRun("rung.truth", "a number that is no class", f"0 to {classes - 1}")

    @property
    def counts(self) -> IntArray:
        """How many rows each class has (C,)."""
        return np.bincount(self.truth, minlength=len(self.labels))

    @property
    def per_class(self) -> float:
        """The median number of rows per class; 0 without any row."""
        return float(np.median(self.counts)) if len(self.rows) else 0.0

    @property
    def centre(self) -> FloatArray:
        """The mean vector (D,) of all texts at hand, labelled or not; zero where there is none."""
        vectors = np.concatenate([self.pool.vectors, self.rows.vectors])
        width = self.described.vectors.shape[1]
        return vectors.mean(axis=0) if len(vectors) else np.zeros(width)

    @property
    def judged(self) -> IntArray:
        """Places of the rows that people labelled; they alone may be held out."""
        return np.arange(len(self.rows)) if self.taught is None else np.flatnonzero(~self.taught)

    @property
    def row_weights(self) -> FloatArray:
        """How much each row counts (N,); one where nothing was said."""
        return np.ones(len(self.rows)) if self.weights is None else self.weights

    def made(self, rung: Rung) -> Fitted:
        """What `rung` makes of this, made once however often it is asked for."""
        kept: dict[str, Fitted] = self.__dict__.setdefault("fitted", {})
        if rung.name not in kept:
            kept[rung.name] = rung.fit(self)
        return kept[rung.name]

    def tuned(self) -> Tuned:
        """The encoder tuned to these rows, once however often it is asked for."""
        if "moved" not in self.__dict__:
            assert self.encoder is not None
            self.__dict__["moved"] = self.encoder.tune(self)
        found: Tuned = self.__dict__["moved"]
        return found

    def only(self, places: IntArray) -> Known:
        """The same with the labelled rows at `places` alone."""
        return replace(
            self,
            rows=self.rows.take(places),
            truth=self.truth[places],
            groups=None if self.groups is None else self.groups[places],
            weights=None if self.weights is None else self.weights[places],
            taught=None if self.taught is None else self.taught[places],
        )


class Fitted(Protocol):
    """A classifier that a rung made."""

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances of the classes (N, C); each row sums to one."""

    def arrays(self) -> Mapping[str, FloatArray]:
        """All its numbers by name, as they are written to safetensors."""

    def about(self) -> Mapping[str, Any]:
        """What else it takes to read it back, ready for JSON; `form` names its kind."""


class Rung(Protocol):
    """One way from labels to a classifier; rungs are ordered from simple to costly."""

    @property
    def name(self) -> str:
        """Its name in recipes, records and reports."""

    @property
    def order(self) -> int:
        """Its place on the ladder: of two that are equally good the lower is taken."""

    def refusal(self, known: Known) -> str:
        """Why it can't be tried on these rows, in a sentence; empty when it can."""

    def fit(self, known: Known) -> Fitted:
        """A classifier from what is known; the same rows and seed give the same one.

        Raises: FixData when `refusal` is not empty.
        """


Reader = Callable[[Mapping[str, Any], Mapping[str, FloatArray]], Fitted]
"""Makes a fitted classifier from what `about` and `arrays` gave."""
