"""Where the model looks, which is not why it answers.

Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.errors import FixModel
from luthier.explain.attribution import Attribution, Floats, Ids, Question, by_word
from luthier.explain.subject import Subject


@dataclass(frozen=True)
class RawAttention:
    """The last layer's attention, averaged over heads, from where the answer is read."""

    signed: bool = False
    name: str = "raw attention"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Unsigned shares of each question."""
        found = []
        for question in questions:
            layers = attentions(subject, question.passage.ids)
            found.append(_told(self.name, layers[-1].mean(0), subject, question))
        return found


@dataclass(frozen=True)
class AttentionRollout:
    """Attention followed through all layers, half of it staying where it is."""

    signed: bool = False
    name: str = "attention rollout"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Unsigned shares of each question."""
        found = []
        for question in questions:
            layers = attentions(subject, question.passage.ids)
            flow = np.eye(layers.shape[-1])
            for heads in layers:
                flow = (0.5 * heads.mean(0) + 0.5 * np.eye(len(flow))) @ flow
            found.append(_told(self.name, flow, subject, question))
        return found


def attentions(subject: Subject, ids: Ids) -> NDArray[np.float32]:
    """What each head of each layer attends to (L, H, T, T); rows sum to 1.

    The slower kernel that shows its weights runs for this text only.

    Raises: FixModel for a model that has none.
    """
    backbone = subject.network.backbone
    given = torch.from_numpy(ids[None]).to(subject.device)
    extra: dict[str, Any] = {"use_cache": False} if subject.network.kind == "causal" else {}
    with torch.no_grad(), _shown(backbone):
        found = backbone(input_ids=given, output_attentions=True, **extra).attentions
    if not found or any(layer is None for layer in found):
        raise FixModel(
            "attention", "this model's attention kernel gives no weights",
            "a model whose layers run in eager attention", "choose another --method",
        )  # fmt: skip
    subject.passes += 1
    return torch.stack([layer[0].float() for layer in found]).cpu().numpy()


@contextmanager
def _shown(backbone: Any) -> Iterator[None]:
    before = backbone.config._attn_implementation
    try:
        backbone.set_attn_implementation("eager")
    except (ValueError, ImportError, AttributeError) as error:
        raise FixModel(
            "attention", f"this model's kernel cannot show its weights ({error})",
            "a model whose layers run in eager attention", "choose another --method",
        ) from error  # fmt: skip
    try:
        yield
    finally:
        backbone.set_attn_implementation(before)


def _told(name: str, flow: Floats, subject: Subject, question: Question) -> Attribution:
    """Shares of the words, read where the model reads its answer from."""
    passage, pooling = question.passage, subject.network.pooling
    if subject.writes:
        rows = flow[len(flow) - passage.answer - 1 : -1]
    else:
        rows = {"mean": flow, "cls": flow[:1], "last": flow[-1:]}[pooling]
    words, rest = by_word(rows.mean(0).astype(np.float64), passage, False)
    return Attribution(name, words, False, rest, passes=1.0)
