"""Floor 3: metrics, intervals, comparison and baselines. Plain arrays in, plain numbers out."""

from luthier.evaluate.interval import Comparison, bootstrap, paired
from luthier.evaluate.measure import absent, better, metric, metrics_of, names_of, primary
from luthier.evaluate.metric import Metric
from luthier.evaluate.predictions import (
    ClassPredictions,
    MaskedPredictions,
    MultilabelPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
)

__all__ = [
    "ClassPredictions",
    "Comparison",
    "MaskedPredictions",
    "Metric",
    "MultilabelPredictions",
    "Predictions",
    "PreferencePredictions",
    "SpanPredictions",
    "TextPredictions",
    "ValuePredictions",
    "absent",
    "better",
    "bootstrap",
    "metric",
    "metrics_of",
    "names_of",
    "paired",
    "primary",
]
