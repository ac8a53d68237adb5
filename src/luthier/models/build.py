"""From recipe sections to a loaded base, an adapter, a head and the network of all three."""

from __future__ import annotations

from typing import Literal

import torch

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.labels import HeadFacts as HeadFacts
from luthier.models.adapter import Adapter, AdapterSite
from luthier.models.adapters.build import build_adapter as build_adapter
from luthier.models.base import Base, BaseSpec, stated_pooling
from luthier.models.head import Head
from luthier.models.heads.classify import ClassifyHead, MultilabelHead
from luthier.models.heads.language import LanguageHead, PreferHead
from luthier.models.heads.masked import MaskedHead
from luthier.models.heads.regress import RegressHead
from luthier.models.heads.tag import TagHead
from luthier.models.layers import find_stack
from luthier.models.network import Network
from luthier.models.places import default_id
from luthier.recipe.model import Model
from luthier.recipe.train import Train


def base_spec(
    section: Model, task: Task, precision: Literal["float32", "bfloat16", "float16"], device: str
) -> BaseSpec:
    """Which base to load and how."""
    return BaseSpec(
        id=default_id(task) if section.id == "auto" else section.id,
        revision=section.revision,
        precision=precision,
        quantize=section.quantize,
        attention="sdpa" if section.attention == "auto" else section.attention,
        device=device,
    )


def build_head(task: Task, facts: HeadFacts, train: Train, chunked: bool = True) -> Head:
    """The head of a task."""
    if facts.masked:
        return MaskedHead(chunked)
    if task is Task.CLASSIFY:
        return ClassifyHead(facts.labels)
    if task is Task.MULTILABEL:
        return MultilabelHead(facts.labels)
    if task is Task.REGRESS:
        return RegressHead(facts.mean, facts.deviation)
    if task is Task.TAG:
        return TagHead(facts.labels)
    if task is Task.PREFER:
        objective = "dpo" if train.objective == "auto" else train.objective
        return PreferHead(objective, chunked=chunked)
    return LanguageHead(task, chunked)


def assemble(base: Base, adapter: Adapter, head: Head, seed: int) -> Network:
    """The network to train; initial values depend on `seed` only.

    Raises: FixRecipe when the adapter does not fit the model.
    """
    causal = base.kind == "causal"
    path = "" if base.kind == "encoder" else str(base.network.base_model_prefix)
    backbone = base.network.get_submodule(path) if path else base.network
    site = AdapterSite(
        base.network, backbone, path, find_stack(backbone), causal, derive(seed, "adapter")
    )
    model = adapter.attach(site)
    torch.manual_seed(derive(seed, "head"))
    output = head.output_layer(base.width)
    if output is not None:
        output = output.to(base.spec.device)
    pooling = "last" if causal else stated_pooling(base)
    return Network(model, output, pooling, base.kind)
