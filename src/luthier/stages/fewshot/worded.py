"""How classes are named to a base that writes."""

from __future__ import annotations

from luthier.data.feed.contract import PromptContract
from luthier.data.feed.labels import LabelSet
from luthier.evaluate.baseline import humanise
from luthier.fewshot.wording import Wording
from luthier.models.base import Base


def wording_of(base: Base, labels: LabelSet, contract: PromptContract) -> Wording | None:
    """The names of the classes in words; None for a base that does not write."""
    if base.kind != "causal":
        return None
    names = [humanise(name) for name in labels.names]
    return Wording.of(base.tokenizer, names, contract.max_tokens)
