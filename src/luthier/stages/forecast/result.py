"""What a plan says, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luthier.core.types import Finding, Level, Task
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.encode import Encoded
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared


@dataclass(frozen=True)
class Path:
    """A fast path: whether it is taken, and why or why not."""

    on: bool
    why: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"on": self.on, "why": self.why}


@dataclass(frozen=True)
class Schedule:
    """How long training is."""

    steps: int
    steps_per_epoch: int
    epochs: float
    rate: float
    every: int


@dataclass(frozen=True)
class Costs:
    """What the estimate was made from."""

    memory_mb: float
    seconds: float
    micro_rows: int


@dataclass(frozen=True)
class PlanResult:
    """What will be done, before it is done."""

    task: Task
    rows: dict[str, int]
    findings: tuple[Finding, ...]
    estimate: dict[str, float]
    legal: dict[str, dict[str, Any]]
    resolved: Recipe
    masked: tuple[tuple[tuple[str, bool], ...], ...]
    base: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of `luthier plan --json`."""
        return {
            "task": self.task.value,
            "rows": self.rows,
            "findings": [f.as_dict() for f in self.findings],
            "estimate": self.estimate,
            "legal": self.legal,
            "base": self.base,
            "notes": list(self.notes),
            "recipe": self.resolved.model_dump(mode="json"),
            "masked": [[[text, learn] for text, learn in row] for row in self.masked],
        }


@dataclass(frozen=True)
class Foreseen:
    """Everything a plan is told from."""

    recipe: Recipe
    prepared: Prepared
    contract: PromptContract
    encoded: Encoded
    legal: dict[str, Path]
    timing: Schedule
    costs: Costs
    base: str
    held: str
    notes: tuple[str, ...] = ()

    def result(self) -> PlanResult:
        """The plan as people and programs read it."""
        splits, report = self.prepared.splits, self.prepared.report
        rows = {
            **report.rows,
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
        }
        return PlanResult(
            task=self.prepared.task,
            rows=rows,
            findings=(*report.findings, *token_findings(self.encoded, self.contract)),
            estimate={"memory_mb": self.costs.memory_mb, "seconds": self.costs.seconds},
            legal={name: path.as_dict() for name, path in self.legal.items()},
            resolved=self.recipe,
            masked=show_masks(self.encoded, self.contract.tokenizer),
            base=self.base,
            notes=(*self.prepared.notes, *self.notes, *self._sentences()),
        )

    def _sentences(self) -> list[str]:
        if self.recipe.fewshot.enabled == "on" and self.prepared.task is Task.CLASSIFY:
            return ["no parameter of the base is trained: a rung is chosen and fitted", self.held]
        return [
            f"{self.timing.steps} updates of {self.recipe.train.batch_size} rows "
            f"({self.timing.epochs:.1f} passes) at a learning rate of {self.timing.rate:g}",
            self.held,
        ]


def token_findings(encoded: Encoded, contract: PromptContract) -> list[Finding]:
    """What tokenising cut or left out, and what share of the tokens is learnt."""
    count, found = encoded.count, []
    if count.truncated_rows:
        found.append(
            Finding.at(
                "truncated",
                Level.WARNING,
                f"{count.truncated_rows} rows are longer than {contract.max_tokens} tokens; "
                f"{count.truncated_tokens} tokens were cut off",
                count.truncated_rows,
                count.truncated,
            )
        )
    if count.dropped_rows:
        found.append(
            Finding.at(
                "dropped",
                Level.WARNING,
                f"{count.dropped_rows} rows were left out: nothing to learn was left of them",
                count.dropped_rows,
                count.dropped,
            )
        )
    if encoded.learn is not None:
        share = count.supervised / max(1, count.tokens)
        each = ", others in each pass" if encoded.masking is not None else ""
        found.append(
            Finding(
                "supervised",
                Level.INFO,
                f"{count.supervised} of {count.tokens} tokens ({share:.0%}) are learnt{each}",
                count.supervised,
            )
        )
    return found


def show_masks(encoded: Encoded, tokenizer: Any, rows: int = 3) -> tuple[Any, ...]:
    """The first rows as pairs of text and whether the loss reads it."""
    shown = []
    for index in range(min(rows, len(encoded.ids))):
        ids = [int(t) for t in encoded.ids[index]]
        if encoded.learn is None:
            marks = [False] * len(ids)
        else:
            marks = [bool(m) for m in encoded.learn[index]]
        shown.append(
            tuple(
                (tokenizer.decode([token], skip_special_tokens=False), mark)
                for token, mark in zip(ids, marks, strict=True)
            )
        )
    return tuple(shown)
