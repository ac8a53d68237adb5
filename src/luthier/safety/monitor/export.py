"""Numbers of a monitor as Prometheus text and as OpenTelemetry attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
OPENTELEMETRY: Mapping[str, str] = {
    "luthier_requests_total": "gen_ai.client.operation.count",
    "luthier_request_seconds": "gen_ai.server.request.duration",
    "luthier_tokens_total": "gen_ai.client.token.usage",
    "luthier_drift_log_wealth": "luthier.drift.log_wealth",
    "luthier_drift_alarm": "luthier.drift.alarm",
    "luthier_accuracy_estimate": "luthier.accuracy.estimate",
    "luthier_canary_distance": "luthier.canary.distance",
    "luthier_misuse_total": "luthier.misuse.count",
}
"""Prometheus names with their OpenTelemetry names; what the GenAI conventions name is named so."""


@dataclass(frozen=True)
class Sample:
    """One number; labels tell its kind, never a text of a user."""

    name: str
    value: float
    help: str
    kind: Literal["counter", "gauge"] = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)


def prometheus(samples: Iterable[Sample]) -> str:
    """The text exposition format 0.0.4; samples of one name stand together.

    Raises: ValueError for a name Prometheus does not allow.
    """
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        if not all(_NAME.fullmatch(name) for name in (sample.name, *sample.labels)):
            raise ValueError(f"{sample.name!r} or one of its labels is no Prometheus name")
        grouped.setdefault(sample.name, []).append(sample)
    lines = []
    for name, group in grouped.items():
        lines += [f"# HELP {name} {_escaped(group[0].help)}", f"# TYPE {name} {group[0].kind}"]
        lines += [f"{name}{_labels(s.labels)} {_number(s.value)}" for s in group]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(
        f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in sorted(labels.items())
    )
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    special = {float("inf"): "+Inf", float("-inf"): "-Inf"}
    return "NaN" if value != value else special.get(value, repr(float(value)))
