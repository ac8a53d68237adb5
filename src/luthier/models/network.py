"""The trained network: a backbone with adapters, and an output layer of its own or the model's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from luthier.data.feed.batch import Batch
from luthier.models.layers import Stack, find_stack, run_prefix, upper_part
from luthier.models.unpadded import Rows, rows_without_padding, run_rows


@dataclass(frozen=True)
class Cut:
    """The layer below which nothing is trained, and the network above it."""

    below: int
    top: nn.Module


class Network(nn.Module):
    """Base, adapters and output layer.

    `model` is the Hugging Face model, wrapped by PEFT when there are adapters. `output` is the
    new output layer of classifiers, taggers and regressors; language models use their own.
    """

    def __init__(
        self,
        model: nn.Module,
        output: nn.Module | None,
        pooling: Literal["mean", "cls", "last"],
        kind: Literal["encoder", "masked", "causal"],
    ) -> None:
        super().__init__()
        self.model = model
        self.output = output
        self.pooling = pooling
        self.kind = kind
        self._cut: list[Cut] = []
        self._entrance: list[Callable[[Callable[[], Any]], Any]] = []

    @property
    def plain(self) -> Any:
        """The Hugging Face model inside the PEFT wrapper, adapters injected."""
        inner: Any = self.model
        return inner.get_base_model() if hasattr(inner, "get_base_model") else inner

    @property
    def backbone(self) -> Any:
        """The part that gives hidden states."""
        return self.plain if self.kind == "encoder" else self.plain.base_model

    @property
    def unembedding(self) -> Any:
        """The language model's own output layer."""
        return self.plain.get_output_embeddings()

    @property
    def stack(self) -> Stack:
        """Where the layers are."""
        return find_stack(self.backbone)

    def mode(self, training: bool, base_dropout: bool) -> None:
        """Dropout: the adapters' own while training; the base's only when asked for."""
        self.train(training and base_dropout)
        if training and not base_dropout:
            for name, module in self.named_modules():
                if "lora_dropout" in name:
                    module.train()

    @property
    def in_parts(self) -> bool:
        """Whether several processes hold a part of the parameters each."""
        return bool(self._entrance)

    def enter_by(self, entrance: Callable[[Callable[[], Any]], Any]) -> None:
        """From now on `run` goes through `entrance`, which brings parameters together."""
        self._entrance = [entrance]

    def run(self, work: Callable[[], Any]) -> Any:
        """The result of `work`, which uses this network.

        Work with a network that is held in parts has to go through here, in every process.
        """
        return self._entrance[0](work) if self._entrance else work()

    def cut_below(self, layer: int) -> None:
        """From now on batches that carry `hidden` enter at `layer`."""
        self._cut = [Cut(layer, upper_part(self.backbone, self.stack, layer))]

    def prefix(self, batch: Batch, below: int) -> Float[Tensor, "B T D"]:
        """What enters layer `below`; the frozen layers only, from a kept prefix if there is one."""
        if batch.hidden is None:
            return run_prefix(self.backbone, self.stack, below, batch.ids, batch.mask)
        cut = self._cut[0]
        given = batch.hidden.to(_number_format(cut.top))
        return run_prefix(cut.top, self.stack, below - cut.below, given, batch.mask)

    def hidden(self, batch: Batch) -> Float[Tensor, "B T D"]:
        """Hidden states after the last layer, from tokens or from the kept prefix."""
        rows = rows_without_padding(self.backbone, batch.mask)
        if rows is not None:
            return self._unpadded(batch, rows)
        extra: dict[str, Any] = {"use_cache": False} if self.kind == "causal" else {}
        if batch.positions is not None:
            extra["position_ids"] = batch.positions
        if batch.hidden is not None:
            top = self._cut[0].top
            given = batch.hidden.to(_number_format(top))
            result = top(inputs_embeds=given, attention_mask=batch.mask, **extra)
        else:
            result = self.backbone(input_ids=batch.ids, attention_mask=batch.mask, **extra)
        hidden: Tensor = result.last_hidden_state
        return hidden

    def _unpadded(self, batch: Batch, rows: Rows) -> Float[Tensor, "B T D"]:
        if batch.hidden is None:
            return run_rows(self.backbone, rows, batch.ids)
        top = self._cut[0].top
        return run_rows(top, rows, batch.hidden.to(_number_format(top)))

    def pooled(self, batch: Batch) -> Float[Tensor, "B D"]:
        """One vector per row."""
        return pool(self.hidden(batch), batch.mask, self.pooling)

    def forward(self, batch: Batch) -> Tensor:
        """Scores (B, C) of a classifier or (B, 1) of a regressor."""
        return self.read(self.pooled(batch))

    def read(self, hidden: Tensor) -> Tensor:
        """Scores (..., C) of vectors (..., D), in the number format of the output layer: it is
        trained in float32 whatever the base is held in."""
        assert self.output is not None
        weight = next(self.output.parameters())
        scores: Tensor = self.output(hidden.to(weight.dtype))
        return scores


def _number_format(model: nn.Module) -> torch.dtype:
    """The format the frozen layers compute in; packed weights and adapters may have another."""
    floats = [p for p in model.parameters() if p.is_floating_point()]
    return next((p.dtype for p in floats if not p.requires_grad), floats[0].dtype)


def pool(
    hidden: Float[Tensor, "B T D"], mask: Tensor | None, how: Literal["mean", "cls", "last"]
) -> Float[Tensor, "B D"]:
    """One vector per row: the mean over real tokens, the first or the last real token."""
    if how == "cls":
        return hidden[:, 0]
    if mask is None:
        return hidden.mean(1) if how == "mean" else hidden[:, -1]
    if how == "last":
        last = mask.sum(1).long() - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
