"""Slices on several workers of a Ray cluster, each with a resident base of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe
from luthier.search.executors.cluster import Cluster, connect, disconnect
from luthier.search.executors.worker import Answer, Work, Worker, error_from
from luthier.search.trial import Outcome, Slice


@dataclass
class _Seat:
    """A worker's place: who sits there, and the trial that was there last."""

    actor: Any
    last: str = ""


@dataclass
class Ray:
    """Gives each slice to a free worker, at best to the one that had the trial last.

    A worker that dies loses its slice and is replaced; the trial goes on elsewhere from the state
    that its last slice left on disk. The folder of these states must therefore be reachable from
    all workers under the same path.
    """

    work: Work
    cluster: Cluster
    _ray: Any = None
    _seats: list[_Seat] = field(default_factory=list)
    _waiting: deque[Slice] = field(default_factory=deque)
    _running: dict[Any, tuple[Slice, _Seat]] = field(default_factory=dict)
    _began: bool = False

    def __post_init__(self) -> None:
        """Connects and starts the workers, which begin to load at once.

        Raises: InstallExtra without Ray, FixRecipe when the cluster is too small or cannot be
        reached.
        """
        self._ray, self._began = connect(self.cluster)
        needs = self._needs()
        self._start = self._ray.remote(Worker).options(**needs, max_restarts=0)
        self._seats = [_Seat(self._begin()) for _ in range(self.cluster.workers)]

    @property
    def width(self) -> int:
        """How many slices it works on at once."""
        return self.cluster.workers

    def submit(self, piece: Slice) -> None:
        """Begins a slice, or queues it while all workers are busy."""
        self._waiting.append(piece)
        self._hand_out()

    def collect(self) -> Outcome:
        """The next finished slice; a worker that died gives a fault and is replaced.

        Raises: CheckRun when nothing was submitted; errors of the work itself as they were.
        """
        if not self._running:
            raise CheckRun("executor", "nothing was submitted")
        ready, _ = self._ray.wait(list(self._running), num_returns=1)
        piece, seat = self._running.pop(ready[0])
        try:
            answer: Answer = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            self._replace(seat)
            answer = Answer(Outcome(piece.trial, None, f"its worker died: {_first_line(error)}"))
        self._hand_out()
        if answer.outcome is None:
            raise error_from(answer)
        return answer.outcome

    def close(self) -> None:
        """Ends the workers, and the cluster when it was started here."""
        self._waiting.clear()
        self._running.clear()
        for seat in self._seats:
            self._ray.kill(seat.actor, no_restart=True)
        self._seats.clear()
        if self._began:
            self._began = False
            disconnect(self._ray)

    def _hand_out(self) -> None:
        """Gives waiting slices to free workers, oldest first."""
        taken = [seat for _, seat in self._running.values()]
        free = [seat for seat in self._seats if not any(seat is t for t in taken)]
        while free and self._waiting:
            piece = self._waiting.popleft()
            seat = next((s for s in free if s.last == piece.trial), free[0])
            free.remove(seat)
            # The one that has waited longest is asked first when nobody had the trial.
            self._seats.remove(seat)
            self._seats.append(seat)
            seat.last = piece.trial
            self._running[seat.actor.advance.remote(piece)] = (piece, seat)

    def _replace(self, seat: _Seat) -> None:
        self._ray.kill(seat.actor, no_restart=True)
        seat.actor, seat.last = self._begin(), ""

    def _begin(self) -> Any:
        actor = self._start.remote(self.work)
        # Nobody waits for this: what goes wrong is told with the first slice.
        actor.prepare.remote()
        return actor

    def _needs(self) -> dict[str, float]:
        """Processors and GPUs of one worker, so that all find a place."""
        nodes = [n["Resources"] for n in self._ray.nodes() if n["Alive"]]
        cpus = share([int(n.get("CPU", 0)) for n in nodes], self.width)
        gpus = share([int(n.get("GPU", 0)) for n in nodes], self.width)
        if not cpus:
            raise FixRecipe(
                "tune.workers",
                f"{self.width} workers were asked for",
                f"the cluster has {sum(int(n.get('CPU', 0)) for n in nodes)} processors",
                "lower tune.workers",
            )
        return {"num_cpus": cpus, "num_gpus": gpus}


def share(capacities: Sequence[int], workers: int) -> int:
    """The most that each of so many workers can have when none may lie across two machines; 0
    when not all of them can have one.

    >>> share([8, 4], 3), share([8, 2], 3), share([1], 2)
    (4, 2, 0)
    """
    for each in range(max(capacities, default=0), 0, -1):
        if sum(c // each for c in capacities) >= workers:
            return each
    return 0


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def ray_executor(
    factory: str, arguments: Mapping[str, Any], workers: int, address: str | None = None
) -> Ray:
    """Workers that each call `factory` (`module:function`) with the arguments once and then what
    it gave back for each slice. Arguments must be plain values that JSON can hold.

    Raises: InstallExtra without Ray, FixRecipe.
    """
    return Ray(Work(factory, dict(arguments)), Cluster(workers, address))
