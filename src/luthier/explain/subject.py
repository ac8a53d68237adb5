"""A network as it is explained: scores of changed texts, and how they grow along its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from luthier.core.errors import CheckRun, FixModel
from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.explain.attribution import Floats, Ids, Question
from luthier.models.head import Head, ReadsMore
from luthier.models.heads.language import plain_unembedding
from luthier.models.layers import can_cut
from luthier.models.network import Network, pool

Ask = tuple[Ids, Question]
"""Tokens (T,) of a changed text, and the question it was made for."""


@dataclass
class Subject:
    """A network, its head, and how much of it may run at once.

    `fill` stands in place of a hidden word; `budget` bounds the tokens of a forward pass.
    """

    network: Network
    head: Head
    pad: int
    fill: int
    budget: int = 2048
    passes: int = field(default=0, init=False)
    """Texts that went through the network."""
    _cuts: dict[int, Network] = field(default_factory=dict, init=False, repr=False)

    @staticmethod
    def of(network: Network, head: Head, tokenizer: Any, pad: int) -> Subject:
        """The subject of a network with its tokenizer.

        Raises: CheckRun for a task whose answer is no single score; FixModel for a language model
        whose logits are not plain.
        """
        if head.task not in (Task.CLASSIFY, Task.MULTILABEL, Task.REGRESS, Task.INSTRUCT):
            raise CheckRun(
                "explain", f"a model that was tuned to {head.task.value} gives no single score",
                "classify, multilabel, regress, instruct",
            )  # fmt: skip
        reason = plain_unembedding(network) if head.task.generates else None
        if reason:
            raise FixModel("explain", reason, "a language model with plain logits")
        found = [tokenizer.mask_token_id, tokenizer.unk_token_id, pad]
        return Subject(network, head, pad, next(int(t) for t in found if t is not None))

    @property
    def writes(self) -> bool:
        """Whether answers are text."""
        return self.head.task.generates

    @property
    def device(self) -> str:
        """Where the network lives."""
        return str(next(self.network.parameters()).device)

    @cached_property
    def layers(self) -> int:
        """How many layers it may be entered at; 1 where it cannot be cut."""
        return 1 if can_cut(self.network.backbone) else self.network.stack.layers

    def _above(self, layer: int) -> Network:
        """The network entered at `layer`."""
        if layer not in self._cuts:
            network = self.network
            twin = Network(network.model, network.output, network.pooling, network.kind)
            if can_cut(network.backbone) is None:
                twin.cut_below(layer)
            self._cuts[layer] = twin
        return self._cuts[layer]

    def logits(self, sequences: Sequence[Ids]) -> Floats:
        """Class scores before any squashing (B, C)."""
        found: list[Any] = [None] * len(sequences)
        with torch.no_grad():
            for part in self.parts([len(s) for s in sequences]):
                batch = self._batch([sequences[i] for i in part])
                scores = _classes(self, self.network.hidden(batch), batch).double().cpu().numpy()
                for place, row in zip(part, scores, strict=True):
                    found[place] = row
        self.passes += len(sequences)
        return np.stack(found)

    def values(self, asks: Sequence[Ask]) -> list[Floats]:
        """The score asked about: one number for a class or value (1,), the log-probability of
        each token for an answer (A,)."""
        found: list[Any] = [None] * len(asks)
        with torch.no_grad():
            for part in self.parts([len(ids) for ids, _ in asks]):
                batch = self._batch([asks[i][0] for i in part])
                each = self._read(self.network.hidden(batch), batch, [asks[i][1] for i in part])
                for place, value in zip(part, each, strict=True):
                    found[place] = value.double().cpu().numpy()
        self.passes += len(asks)
        return found

    def totals(self, asks: Sequence[Ask]) -> Floats:
        """The scores asked about, added over the tokens of an answer (B,)."""
        return np.asarray([value.sum() for value in self.values(asks)])

    def entering(self, sequences: Sequence[Ids], layer: int = 0) -> list[Float[Tensor, "T D"]]:
        """What enters a layer, for each text."""
        found: list[Any] = [None] * len(sequences)
        for part in self.parts([len(s) for s in sequences]):
            batch = self._batch([sequences[i] for i in part])
            with torch.no_grad():
                if can_cut(self.network.backbone) is None:
                    hidden = self.network.prefix(batch, layer)
                else:
                    hidden = self.network.backbone.get_input_embeddings()(batch.ids)
            for row, place in enumerate(part):
                found[place] = hidden[row, : len(sequences[place])]
        return found

    def at(self, inputs: Sequence[Tensor], asks: Sequence[Ask], layer: int = 0) -> Floats:
        """The scores (B,) when `inputs` (T, D) enter a layer."""
        found = np.zeros(len(inputs))
        with torch.no_grad():
            for part, batch in self._entered(inputs, asks):
                found[part] = self._scores(batch, [asks[i][1] for i in part], layer).cpu().numpy()
        self.passes += len(inputs)
        return found

    def slopes(
        self, inputs: Sequence[Tensor], asks: Sequence[Ask], layer: int = 0
    ) -> Iterator[tuple[int, Float[Tensor, "T D"]]]:
        """How the score grows along each of `inputs` (T, D), with its place, in any order."""
        for part, batch in self._entered(inputs, asks):
            assert batch.hidden is not None
            entered = batch.hidden.requires_grad_(True)
            with torch.enable_grad():
                total = self._scores(batch, [asks[i][1] for i in part], layer).sum()
            (slope,) = torch.autograd.grad(total, entered)
            for row, place in enumerate(part):
                yield place, slope[row, : len(asks[place][0])]
        self.passes += 2 * len(inputs)

    def parts(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Places of texts that run together: of similar length, within the budget."""
        order = np.argsort(lengths, kind="stable")
        part: list[int] = []
        for place in map(int, order):
            if part and (len(part) + 1) * lengths[place] > self.budget:
                yield part
                part = []
            part.append(place)
        if part:
            yield part

    def _entered(
        self, inputs: Sequence[Tensor], asks: Sequence[Ask]
    ) -> Iterator[tuple[list[int], Batch]]:
        for part in self.parts([len(one) for one in inputs]):
            batch = self._batch([asks[i][0] for i in part])
            hidden = inputs[0].new_zeros(*batch.ids.shape, inputs[0].shape[-1])
            for row, place in enumerate(part):
                hidden[row, : len(inputs[place])] = inputs[place]
            yield part, Batch(batch.ids, batch.mask, batch.rows, batch.weights, hidden=hidden)

    def _scores(self, batch: Batch, questions: Sequence[Question], layer: int) -> Tensor:
        hidden = self._through(batch, layer)
        return torch.stack([v.sum() for v in self._read(hidden, batch, questions)])

    def _through(self, batch: Batch, layer: int) -> Tensor:
        if can_cut(self.network.backbone) is None:
            return self._above(layer).hidden(batch)
        extra: dict[str, Any] = {"use_cache": False} if self.network.kind == "causal" else {}
        found = self.network.backbone(
            inputs_embeds=batch.hidden, attention_mask=batch.mask, **extra
        )
        hidden: Tensor = found.last_hidden_state
        return hidden

    def _read(self, hidden: Tensor, batch: Batch, questions: Sequence[Question]) -> list[Tensor]:
        assert batch.mask is not None
        if self.writes:
            return self._answers(hidden, batch, questions)
        scores = _classes(self, hidden, batch)
        return [
            margin(row, q, self.head.task).reshape(1)
            for row, q in zip(scores, questions, strict=True)
        ]

    def _answers(self, hidden: Tensor, batch: Batch, questions: Sequence[Question]) -> list[Tensor]:
        assert batch.mask is not None
        ends = batch.mask.sum(1).tolist()
        places: list[int] = []
        rows: list[int] = []
        for row, question in enumerate(questions):
            count, end = question.passage.answer, int(ends[row])
            places += range(end - count - 1, end - 1)
            rows += [row] * count
        read = hidden[rows, places]
        logits = self.network.unembedding(read).float()
        wanted = batch.ids[rows, [p + 1 for p in places]]
        chances = torch.log_softmax(logits, -1).gather(1, wanted[:, None])[:, 0]
        return list(chances.split([q.passage.answer for q in questions]))

    def _batch(self, sequences: Sequence[Ids]) -> Batch:
        # A text of which nothing is left still has to be something.
        sequences = [s if len(s) else np.asarray([self.fill]) for s in sequences]
        longest = max(map(len, sequences))
        ids = np.full((len(sequences), longest), self.pad, np.int64)
        mask = np.zeros((len(sequences), longest), np.int64)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        count = len(sequences)
        return Batch(
            torch.from_numpy(ids), torch.from_numpy(mask), torch.arange(count), torch.ones(count)
        ).to(self.device)


def _classes(subject: Subject, hidden: Tensor, batch: Batch) -> Tensor:
    """Class scores (B, C) of what leaves the last layer."""
    network = subject.network
    vectors = pool(hidden, batch.mask, network.pooling)
    if isinstance(subject.head, ReadsMore):
        return subject.head.logits(network, batch, vectors)
    return network.read(vectors).float()


def margin(scores: Float[Tensor, " C"], question: Question, task: Task) -> Tensor:
    """The score asked about: the log odds of a class, the lead over another, or the value.

    Probabilities would hide everything that happens near 0 and 1.
    """
    if task is Task.REGRESS:
        return scores[0]
    target = scores[question.target]
    if question.against is not None:
        return target - scores[question.against]
    if task is Task.MULTILABEL:
        return target
    others = torch.cat([scores[: question.target], scores[question.target + 1 :]])
    return target - torch.logsumexp(others, 0)
