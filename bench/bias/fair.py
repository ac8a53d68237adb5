"""fairlearn's post-processing, asked the same questions as our repairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def flags(answer: Callable[[list[str]], np.ndarray], positive: Sequence[int]) -> Any:
    """A fitted classifier that says whether a text is flagged, as fairlearn asks it."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Flags(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """Chances of being flagged."""

        def __init__(self) -> None:
            self.classes_ = np.asarray([0, 1])

        def fit(self, x: Any, y: Any) -> Any:
            """Nothing to fit."""
            return self

        def predict(self, x: Any) -> np.ndarray:
            """Chances (N,) of texts (N, 1)."""
            chances: np.ndarray = answer([str(t) for t in np.asarray(x)[:, 0]])
            return chances[:, list(positive)].sum(1)

    return Flags()


def fairlearn_post(world: Any, answer: Callable[[list[str]], np.ndarray]) -> Any:
    """Thresholds by the axis a text names, so that false positive rates agree on validation rows.

    It needs the group of each text when it answers; rows that name none are a group as well. The
    class of a flagged text is its likeliest flagged class.
    """
    from fairlearn.postprocessing import ThresholdOptimizer

    positive = world.flagged
    fitted = ThresholdOptimizer(
        estimator=flags(answer, positive), constraints="false_positive_rate_parity",
        objective="accuracy_score", prefit=True, predict_method="predict",
    )  # fmt: skip
    rows = world.validation
    seen = _axes(world, rows.texts)
    fitted.fit(
        np.asarray(rows.texts)[:, None], np.isin(rows.truth, positive).astype(int),
        sensitive_features=_known(seen, seen, rows.truth, positive),
    )  # fmt: skip

    def chances(texts: Sequence[str]) -> np.ndarray:
        plain = answer(list(texts))
        groups = _known(_axes(world, list(texts)), seen, rows.truth, positive)
        given = np.asarray(list(texts))[:, None]
        flags = fitted.predict(given, sensitive_features=groups, random_state=0) == 1
        allowed = np.isin(np.arange(plain.shape[1]), positive)
        masked = np.where(flags[:, None] == allowed, plain + 1e-9, 0)
        return masked / masked.sum(1, keepdims=True)

    return chances


def _axes(world: Any, texts: Sequence[str]) -> list[str]:
    from luthier.explain.bias.swap import mentions

    found = [mentions(text, world.lexicon) for text in texts]
    # A mention put around a row is what the probe is about, wherever the row names another.
    adjectives = [[m.term.axis for m in one if m.term.kind == "adjective"] for one in found]
    return [axes[0] if axes else "none" for axes in adjectives]


def _known(
    axes: Sequence[str], seen: Sequence[str], truth: np.ndarray, positive: Sequence[int]
) -> np.ndarray:
    """The axes with rows of both kinds among those it was fitted on; all others count as none."""
    flagged = np.isin(truth, positive)
    names = np.asarray(seen)
    fit = {n for n in set(seen) if len(set(flagged[names == n].tolist())) == 2}
    return np.asarray([axis if axis in fit else "none" for axis in axes])
