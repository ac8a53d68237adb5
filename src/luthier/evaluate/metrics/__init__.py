"""The members of the metric family, by the kind of predictions they measure."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.evaluate.metric import Metric
from luthier.evaluate.metrics import (
    classification,
    language,
    masked,
    multilabel,
    preference,
    regression,
    tagging,
)
from luthier.evaluate.predictions import (
    ClassPredictions,
    MaskedPredictions,
    MultilabelPredictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
)

FAMILY: Mapping[type, tuple[Metric, ...]] = {
    ClassPredictions: classification.METRICS,
    MultilabelPredictions: multilabel.METRICS,
    ValuePredictions: regression.METRICS,
    SpanPredictions: tagging.METRICS,
    TextPredictions: language.METRICS,
    MaskedPredictions: masked.METRICS,
    PreferencePredictions: preference.METRICS,
}
"""Every metric; the first of each kind is its main one."""
