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
from luthier.train.step import UpdateRule

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
    `seed` and `step`, so the position in the data needs no more than these two numbers.
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

    @staticmethod
    def begin(network: Network, update: UpdateRule, seed: int, base_dropout: bool) -> TrainingState:
        """A state before its first update."""
        optimizer = update.start(trainable(network))
        device = str(next(network.parameters()).device)
        return TrainingState(network, optimizer, seed, base_dropout=base_dropout, device=device)

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return trainable(self.network)

    def note(self, name: str, value: float) -> None:
        """A point of the curve called `name` at the present step."""
        self.curve.append((self.step, name, value))

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of the trained parameters."""
        return {name: p.detach().clone() for name, p in self.trainable.items()}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Puts a snapshot back."""
        with torch.no_grad():
            for name, parameter in self.trainable.items():
                parameter.copy_(snapshot[name])

    def save(self, folder: Path, contract: str = "") -> None:
        """Writes the state atomically: tensors as safetensors, numbers as JSON.

        Raises: FreeDisk when there is no room; an earlier state in `folder` is then untouched.
        """
        tensors = {f"parameter/{n}": p.detach() for n, p in self.trainable.items()}
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
        with new_folder(folder) as place:
            whole = {name: t.contiguous().cpu() for name, t in tensors.items()}
            save_file(whole, str(place / "state.safetensors"))
            (place / "state.json").write_text(json.dumps(about), encoding="utf-8")

    def load(self, folder: Path, contract: str = "") -> None:
        """Takes over a saved state; afterwards training goes on as if it had never stopped.

        Raises: CheckRun for a state of another run, format or set of parameters.
        """
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
        self.restore({name: tensors[f"parameter/{name}"] for name in mine})
        self._load_optimizer(tensors, about["numbers"])
        self.seed, self.step = about["seed"], about["step"]
        self.seconds, self.tokens = about["seconds"], about["tokens"]
        self.curve = [(int(s), str(n), float(v)) for s, n, v in about["curve"]]

    def _load_optimizer(
        self, tensors: dict[str, Tensor], numbers: dict[str, dict[str, float]]
    ) -> None:
        entries: dict[int, dict[str, Tensor | float]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimizer/"):
                _, index, name = key.split("/", 2)
                entries.setdefault(int(index), {})[name] = tensor
        for number, values in numbers.items():
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
