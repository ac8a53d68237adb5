"""One thing the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How well it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, what was seen, and what to do where it isn't well."""

    name: str
    verdict: Verdict
    seen: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """A JSON-ready form."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "seen": self.seen,
            "advice": self.advice,
        }


def ok(name: str, seen: str) -> Check:
    """A check with nothing to do."""
    return Check(name, Verdict.OK, seen)


def warn(name: str, seen: str, advice: str) -> Check:
    """A check that limits what can be done."""
    return Check(name, Verdict.WARN, seen, advice)


def fail(name: str, seen: str, advice: str) -> Check:
    """A check without which nothing will run."""
    return Check(name, Verdict.FAIL, seen, advice)
