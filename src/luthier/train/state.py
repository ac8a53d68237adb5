"""The training state: everything that changes while training, saved and loaded whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from luthier.core.errors import CheckRun
from luthier.core.files import new_folder, recover_folder
from luthier.models.files import check_safetensors
from luthier.models.network import Network
from luthier.train.sharded import fill, gather, own, whole
from luthier.train.step import UpdateRule
from luthier.train.world import World

FORMAT = 1


@dataclass(frozen=True)
class Budget:
    """How far to advance; whatever ends first. None is endless."""

    steps: int | None = None
    seconds: float | None = None

    def spent(self, state: TrainingState) -> bool:
        """Whether the state has come as far as this budget allows."""
        over_steps = self.steps is not None and state.step >= self.steps
        return over_steps or (self.seconds is not None and state.seconds >= self.seconds)


@dataclass
class TrainingState:
    """Trained parameters, optimiser, position and curve.

    `step` counts finished updates; the batch of an update and its random numbers are functions of
    `seed` and `step`, so the position in the data needs no more than these two numbers. `world`
    are the processes that hold it, each all of it or a part; files hold it whole, so any number
    of processes can go on with what any number saved.
    """

    network: Network
    optimizer: Optimizer
    seed: int
    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    curve: list[tuple[int, str, float]] = field(default_factory=list)
    base_dropout: bool = False
    device: str = "cpu"
    stopped: str = ""
    world: World = field(default_factory=World)

    @staticmethod
    def begin(
        network: Network,
        update: UpdateRule,
        seed: int,
        base_dropout: bool,
        world: World | None = None,
    ) -> TrainingState:
        """A state before its first update."""
        optimizer = update.start(trainable(network))
        device = str(next(network.parameters()).device)
        return TrainingState(
            network,
            optimizer,
            seed,
            base_dropout=base_dropout,
            device=device,
            world=world or World(),
        )

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return trainable(self.network)

    def note(self, name: str, value: float) -> None:
        """A point of the curve called `name` at the present step."""
        self.curve.append((self.step, name, value))

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of the trained parameters, whole, in every process."""
        return {name: whole(p.detach()).clone() for name, p in self.trainable.items()}

    def here(self) -> dict[str, Tensor]:
        """Copies of this process's parts of the trained parameters."""
        return {name: own(p.detach()).clone() for name, p in self.trainable.items()}

    def gathered(self) -> dict[str, Tensor]:
        """The trained parameters as files hold them: whole, in the first process only."""
        return gather(self.trainable, self.world)

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Puts a snapshot back; of several processes the first one's counts."""
        for name, parameter in self.trainable.items():
            fill(parameter, snapshot.get(name), self.world)

    def save(self, folder: Path, contract: str = "") -> None:
        """Writes the state atomically: tensors as safetensors, numbers as JSON.

        Raises: FreeDisk when there is no room; an earlier state in `folder` is then untouched.
        """
        tensors: dict[str, Tensor] = {f"parameter/{n}": p for n, p in self.trainable.items()}
        numbers: dict[str, dict[str, float]] = {}
        saved = self.optimizer.state_dict()["state"]
        for index, entries in saved.items():
            for name, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{index}/{name}"] = value
                elif value is not None:
                    numbers.setdefault(str(index), {})[name] = value
        about = {
            "format": FORMAT,
            "seed": self.seed,
            "step": self.step,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "curve": self.curve,
            "numbers": numbers,
            "contract": contract,
        }
        together = gather(tensors, self.world)

        def write() -> None:
            with new_folder(folder) as place:
                save_file(together, str(place / "state.safetensors"))
                (place / "state.json").write_text(json.dumps(about), encoding="utf-8")

        self.world.write(folder, write)

    def load(self, folder: Path, contract: str = "") -> None:
        """Takes over a saved state; afterwards training goes on as if it had never stopped.

        Of several processes the first reads.

        Raises: CheckRun for a state of another run, format or set of parameters.
        """
        tensors, about = self._read(folder, contract) if self.world.first else ({}, {})
        about = json.loads(self.world.tell(json.dumps(about)))
        self.restore({n: tensors[f"parameter/{n}"] for n in self.trainable if tensors})
        self._load_optimizer(tensors, about)
        self.seed, self.step = about["seed"], about["step"]
        self.seconds, self.tokens = about["seconds"], about["tokens"]
        self.curve = [(int(s), str(n), float(v)) for s, n, v in about["curve"]]

    def _read(self, folder: Path, contract: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a saved state holds, checked."""
        recover_folder(folder)
        file = folder / "state.safetensors"
        if not file.is_file():
            raise CheckRun(str(folder), "there is no saved state", advice="start the run anew")
        check_safetensors(file)
        about = _about(folder / "state.json")
        if about.get("format") != FORMAT or about.get("contract") != contract:
            raise CheckRun(
                str(folder),
                "the saved state belongs to other data, another model or another version",
                advice="start a new run",
            )
        tensors = load_file(str(file))
        mine = {n: p.shape for n, p in self.trainable.items()}
        theirs = {
            n.removeprefix("parameter/"): t.shape
            for n, t in tensors.items()
            if n.startswith("parameter/")
        }
        if mine != theirs:
            raise CheckRun(str(folder), "the saved state has other parameters than this recipe")
        about["optimizer"] = {
            key: [str(t.dtype).removeprefix("torch."), list(t.shape)]
            for key, t in tensors.items()
            if key.startswith("optimizer/")
        }
        return tensors, about

    def inherit(self, folder: Path) -> None:
        """Takes over the parameters of another saved state, and nothing else of it.

        Raises: CheckRun when there is none, or its parameters have other names or shapes.
        """
        file = folder / "state.safetensors"
        check_safetensors(file)
        kept = {
            name.removeprefix("parameter/"): tensor
            for name, tensor in load_file(str(file)).items()
            if name.startswith("parameter/")
        }
        if {n: t.shape for n, t in kept.items()} != {n: p.shape for n, p in self.trainable.items()}:
            raise CheckRun(str(folder), "the saved state has parameters of other shapes")
        self.restore(kept)

    def _load_optimizer(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Takes over the optimiser's tensors, cut like their parameters, and its numbers."""
        entries: dict[int, dict[str, Tensor | float]] = {}
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for key, (kind, shape) in about["optimizer"].items():
            _, index, name = key.split("/", 2)
            mine: Tensor = parameters[int(index)]
            alike = list(mine.shape) == shape
            target = (
                torch.empty_like(mine, dtype=getattr(torch, kind))
                if alike
                else torch.empty(shape, dtype=getattr(torch, kind), device=self.device)
            )
            fill(target, tensors.get(key), self.world)
            entries.setdefault(int(index), {})[name] = target if alike else target.cpu()
        for number, values in about["numbers"].items():
            entries.setdefault(int(number), {}).update(values)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _about(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckRun(str(file), "it cannot be read", advice="start a new run") from error
    return content if isinstance(content, dict) else {}


def trainable(network: Network) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by name, in a fixed order."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}
