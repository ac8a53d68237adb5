"""Optimisers by name, with schedule, clipping and a rate of its own for new output layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import SGD, Adafactor, AdamW, Optimizer

from luthier.train.schedule import RateSchedule
from luthier.train.sharded import whole
from luthier.train.updates.lion import Lion


@dataclass(frozen=True)
class Descent:
    """One optimiser under a schedule.

    `rate` is the highest learning rate, `head_rate` its multiple for parameters whose name begins
    with `output.`, `b_rate` that for the B matrices of LoRA; `weight_decay` is decoupled and
    touches matrices only.

    Source: Loshchilov and Hutter 2019 (AdamW); Shazeer and Stern 2018 (Adafactor);
    Chen et al. 2023 (Lion); Hayou et al. 2024 (LoRA+).
    """

    rate: float
    schedule: RateSchedule
    kind: Literal["adamw", "sgd", "adafactor", "lion"] = "adamw"
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip_norm: float | None = 1.0
    head_rate: float = 1.0
    b_rate: float = 1.0
    fused: bool = True

    def start(self, trainable: Mapping[str, nn.Parameter]) -> Optimizer:
        """A fresh optimiser."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in trainable.items():
            factor = self._factor(name)
            decay = self.weight_decay if parameter.ndim >= 2 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
        sets: list[dict[str, Any]] = [
            {"params": group, "lr": self.rate * factor, "factor": factor, "weight_decay": decay}
            for (factor, decay), group in groups.items()
        ]
        if self.kind == "sgd":
            return SGD(sets, lr=self.rate, momentum=self.betas[0])
        if self.kind == "adafactor":
            return Adafactor(sets, lr=self.rate)
        if self.kind == "lion":
            return Lion(sets, rate=self.rate, betas=self.betas)
        return AdamW(sets, lr=self.rate, betas=self.betas, eps=self.epsilon, fused=self.fused)

    def _factor(self, name: str) -> float:
        if name.startswith("output."):
            return self.head_rate
        return self.b_rate if ".lora_B." in name else 1.0

    def apply(
        self, trainable: Mapping[str, nn.Parameter], optimizer: Optimizer, step: int
    ) -> float:
        """One update; returns the norm before clipping. Nothing moves when it is not finite."""
        limit = self.clip_norm if self.clip_norm is not None else float("inf")
        norm = torch.nn.utils.clip_grad_norm_(trainable.values(), limit, foreach=True)
        norm = whole(norm)
        if not torch.isfinite(norm):
            return float(norm)
        factor = self.schedule.at(step)
        for group in optimizer.param_groups:
            group["lr"] = self.rate * group["factor"] * factor
        optimizer.step()
        return float(norm)
