"""What a report shows, as plain values that can be saved as JSON and rendered again."""

from __future__ import annotations

from typing import Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from luthier.core.errors import CheckRun
from luthier.stages.explaining.tracking.part import TrackPart
from luthier.stages.fewshot.selection import SelectionPart
from luthier.stages.page.bias import BiasPart
from luthier.stages.page.checks import BehaviourPart, EvidenceLine, PoisonPart
from luthier.stages.page.filters import FiltersPart
from luthier.stages.page.ladder import LadderPart
from luthier.stages.page.privacy import PrivacyPart
from luthier.stages.page.robustness import RobustnessPart
from luthier.stages.page.search import SearchPart
from luthier.stages.page.strict import STRICT, Number


@dataclass(frozen=True, config=STRICT)
class Estimate:
    """A value, with the ends of its interval where one was computed."""

    value: Number
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True, config=STRICT)
class MetricRow:
    """One metric of every model; `difference` is tuned minus base.

    `estimates` holds the models by the names of `ReportData.models`; a model without a value is
    left out and `absent` says why.
    """

    name: str
    estimates: dict[str, Estimate]
    difference: Estimate | None = None
    p_value: Number | None = None
    test: str = ""
    absent: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class Curve:
    """A line of (step, value) points; curves of one `panel` share their axes."""

    name: str
    points: tuple[tuple[Number, Number], ...]
    panel: str = "loss"


@dataclass(frozen=True, config=STRICT)
class Confusion:
    """Counts of a model's answers: rows are true labels, columns predicted ones."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, config=STRICT)
class Bin:
    """Rows whose confidence lies in one bin: how many, how confident, how often right."""

    count: int
    confidence: Number
    accuracy: Number


@dataclass(frozen=True, config=STRICT)
class Mistake:
    """A row the tuned model answered badly."""

    row: int
    text: str
    truth: str
    predicted: str
    score: Number
    measure: str
    file: str = ""
    """The file the row stands in, where the rows come from several."""


@dataclass(frozen=True, config=STRICT)
class Histogram:
    """Counts between consecutive edges (one more than counts); `limit` is the cut, if any."""

    edges: tuple[Number, ...]
    counts: tuple[int, ...]
    unit: str = "tokens"
    limit: Number | None = None


@dataclass(frozen=True, config=STRICT)
class Remark:
    """A finding of the data report: `level` is info, warning or error."""

    code: str
    level: str
    message: str
    count: int = 0
    rows: tuple[int, ...] = ()
    where: str = ""
    """The first rows in words, with their files."""


@dataclass(frozen=True, config=STRICT)
class FastPath:
    """A way to train faster, whether it was legal here and why."""

    name: str
    legal: bool
    reason: str
    used: bool = True


@dataclass(frozen=True, config=STRICT)
class Cost:
    """Memory and time, estimated before and measured after; None where unknown."""

    memory_mb: Number | None = None
    seconds: Number | None = None
    measured_memory_mb: Number | None = None
    measured_seconds: Number | None = None


@dataclass(frozen=True, config=STRICT)
class Sample:
    """One held-out prompt with its reference and both models' answers."""

    prompt: str
    tuned: str
    reference: str = ""
    base: str = ""


@dataclass(frozen=True, config=STRICT)
class ReportData:
    """Everything on the page. Only the first eight fields are needed; empty parts are not shown.

    `models` orders the columns of the results; `base` and `tuned` name two of them. `primary`
    names the metric of the headline. `rows` counts rows by part (train, validation, test).
    """

    title: str
    run: str
    created: str
    task: str
    model: str
    adapter: str
    primary: str
    rows: dict[str, int]
    models: tuple[str, ...] = ("untouched model", "tuned model")
    base: str = "untouched model"
    tuned: str = "tuned model"
    metrics: tuple[MetricRow, ...] = ()
    curves: tuple[Curve, ...] = ()
    confusion: Confusion | None = None
    calibration: tuple[Bin, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    samples: tuple[Sample, ...] = ()
    lengths: Histogram | None = None
    findings: tuple[Remark, ...] = ()
    fast_paths: tuple[FastPath, ...] = ()
    cost: Cost | None = None
    recipe: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    commands: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    search: SearchPart | None = None
    poison: PoisonPart | None = None
    evidence: tuple[EvidenceLine, ...] = ()
    behaviour: BehaviourPart | None = None
    privacy: PrivacyPart | None = None
    filters: FiltersPart | None = None
    robustness: RobustnessPart | None = None
    ladder: LadderPart | None = None
    selection: SelectionPart | None = None
    bias: BiasPart | None = None
    track: TrackPart | None = None

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form that `from_dict` reads back."""
        value: dict[str, Any] = TypeAdapter(ReportData).dump_python(self, mode="json")
        return value

    @staticmethod
    def from_dict(value: dict[str, Any]) -> ReportData:
        """The report saved as `value`.

        Raises: CheckRun when a part is missing, unknown or of another type, or a number is not
        finite.
        """
        try:
            return TypeAdapter(ReportData).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = "report." + ".".join(map(str, first["loc"]))
            raise CheckRun(place, first["msg"], advice="make the report again") from error
