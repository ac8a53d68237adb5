"""A search's log in the run store: what `StudyLog` writes survives a kill at any moment."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.files import write_bytes
from luthier.search.study import Decision
from luthier.search.trial import UNITS, Observation, Trial
from luthier.store.store import Store
from luthier.store.studies import PointRow, TrialRow


class StoredLog:
    """The log of one run. What belongs to single validation rows lies in `folder`, one small file
    per point of a curve, written before the point itself."""

    def __init__(self, store: Store, run: str, folder: Path) -> None:
        """`run` has its study already."""
        self._studies, self._run, self._folder = store.studies, run, folder
        self._places: dict[str, int] = {t.trial: t.place for t in self._studies.trials(run)}

    def began(self, trial: Trial) -> None:
        """A new trial."""
        self._places.setdefault(trial.id, len(self._places))
        self.changed(trial)

    def changed(self, trial: Trial) -> None:
        """A trial's status or reason."""
        self._studies.put_trial(
            self._run,
            TrialRow(
                trial.id,
                self._places[trial.id],
                trial.source,
                dict(trial.config),
                trial.seed,
                trial.parent,
                trial.status,
                trial.reason,
            ),
        )

    def saw(self, trial: Trial, observation: Observation) -> None:
        """A new point of a trial's curve."""
        parts: dict[str, Any] = {}
        if observation.losses is not None:
            parts["losses"] = observation.losses
        if observation.right is not None:
            parts["right"] = observation.right
        buffer = io.BytesIO()
        np.savez(buffer, **parts)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._file(trial.id, observation.unit), buffer.getvalue())
        self._studies.put_points(self._run, [PointRow(trial=trial.id, **observation.as_dict())])

    def decided(self, decision: Decision) -> None:
        """A decision and what came of it."""
        self._studies.put_decision(self._run, decision.number, decision.as_dict())

    def trials(self) -> list[Trial]:
        """All trials with their curves, in the order in which they began.

        Raises: CheckRun when a curve is damaged.
        """
        curves: dict[str, list[Observation]] = {}
        for point in self._studies.points(self._run):
            curves.setdefault(point.trial, []).append(self._observation(point))
        found = []
        for row in self._studies.trials(self._run):
            curve = curves.get(row.trial, [])
            status: Any = row.status
            if status in ("waiting", "paused") and curve:
                status = "finished" if curve[-1].unit >= UNITS else "paused"
            found.append(
                Trial(row.trial, row.config, row.source, row.seed, row.parent, curve, status,
                      row.reason)
            )  # fmt: skip
        return found

    def decisions(self) -> list[Decision]:
        """All decisions in order."""
        return [Decision(**about) for about in self._studies.decisions(self._run)]

    def _observation(self, point: PointRow) -> Observation:
        numbers = np.asarray([point.score, point.loss, point.cost], np.float64)
        whole = 0 < point.unit <= UNITS and point.cost >= 0
        if not whole or not np.isfinite(numbers).all():
            raise CheckRun(
                f"run {self._run}, trial {point.trial}, unit {point.unit}",
                f"its curve is damaged: score {point.score}, loss {point.loss}, cost {point.cost}",
                advice="start a new search",
            )
        seen = Observation(
            point.unit, point.score, point.loss, point.train_loss, point.cost, point.measures
        )
        file = self._file(point.trial, point.unit)
        if not file.is_file():
            return seen
        try:
            content = io.BytesIO(file.read_bytes())
            with np.load(content, allow_pickle=False) as parts:
                losses, right = parts.get("losses"), parts.get("right")
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise CheckRun(
                str(file), f"it is damaged: {error}", advice="start a new search"
            ) from error
        return replace(seen, losses=losses, right=right)

    def _file(self, trial: str, unit: int) -> Path:
        return self._folder / f"{trial}-{unit}.npz"
