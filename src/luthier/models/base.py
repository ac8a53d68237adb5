"""Base models: found by name, checked before they are read, loaded from safetensors only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from luthier.core.errors import FixModel
from luthier.core.hashing import hash_file, hash_value
from luthier.core.types import Task
from luthier.models.files import check_weights
from luthier.models.masked import refuse_headless, refuse_unfit
from luthier.models.places import EMBEDDED as EMBEDDED
from luthier.models.places import fetch, is_causal, locate
from luthier.models.quantized import quantization


@dataclass(frozen=True)
class BaseSpec:
    """Which base model, and how it is held in memory."""

    id: str
    revision: str | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    quantize: Literal["none", "8bit", "4bit"] = "none"
    attention: str = "sdpa"
    device: str = "cpu"


@dataclass(frozen=True)
class Base:
    """A loaded, frozen base model."""

    spec: BaseSpec
    network: nn.Module
    tokenizer: Any
    config: Any
    kind: Literal["encoder", "masked", "causal"]
    hash: str
    folder: Path | None = None
    """Where its files lie; None for a base that was made in memory."""

    @property
    def masked(self) -> bool:
        """Whether it is an encoder that fills in hidden words."""
        return self.kind == "masked"

    @property
    def width(self) -> int:
        """Width D of a hidden state."""
        return int(self.config.hidden_size)

    @property
    def parameters(self) -> int:
        """Number of parameters; of weights packed into bytes, of those they stand for."""
        network: Any = self.network
        return int(network.num_parameters())

    @property
    def longest_input(self) -> int:
        """Most tokens the model can read."""
        limits = [getattr(self.config, "max_position_embeddings", None)]
        stated = getattr(self.tokenizer, "model_max_length", None)
        limits.append(stated if stated and stated < 10**7 else None)
        known = [int(limit) for limit in limits if limit]
        room = min(known) if known else 2048
        # RoBERTa-like models number positions from pad + 1 on.
        offset = 2 if getattr(self.config, "model_type", "") in ("roberta", "xlm-roberta") else 0
        return room - offset if offset and room > 512 else room


def load_base(spec: BaseSpec, task: Task) -> Base:
    """The frozen model and its tokenizer.

    Raises: FixModel for files that are missing, corrupt, pickled or of the wrong kind;
    torch.OutOfMemoryError when it does not fit.
    """
    from transformers import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoTokenizer,
    )

    spec, folder = _copied(spec)
    check_weights(folder)
    place = str(folder)
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        kind = _kind(config, task, spec.id)
        with_head = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}
        loader = with_head.get(kind, AutoModel)
        bare = kind == "encoder" and _accepts_pooler(config)
        options = {"add_pooling_layer": False} if bare else {}
        network, found = loader.from_pretrained(
            place,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=getattr(torch, spec.precision),
            attn_implementation=spec.attention,
            output_loading_info=True,
            **options,
            **quantization(spec),
        )
    except torch.OutOfMemoryError:
        # A RuntimeError too; who called knows what can be lowered.
        raise
    except (OSError, ValueError, RuntimeError) as error:
        if "can't allocate memory" in str(error):
            raise
        raise FixModel(
            f"model {spec.id}",
            str(error).strip().split("\n")[0],
            "a model folder or hub id with config.json and safetensors weights",
            f"without a network use {' or '.join(EMBEDDED)}",
        ) from error
    if kind == "masked":
        refuse_headless(f"model {spec.id}", network.base_model_prefix, found["missing_keys"])
    _refuse_gaps(f"model {spec.id}", tokenizer, found["missing_keys"])
    network.requires_grad_(False)
    network.eval()
    if spec.revision is not None:
        # What is kept names the model, not the place of its copy on this machine.
        for part in (network, tokenizer, config, network.config):
            part.name_or_path = spec.id
    if spec.quantize == "none":
        network.to(spec.device)
    return Base(spec, network, tokenizer, config, kind, _hash(folder, spec), folder)


def _refuse_gaps(place: str, tokenizer: Any, missing: Iterable[str]) -> None:
    """Weights and words that are missing would silently be made up."""
    # Poolers are not used here, and masked language models come without one.
    gaps = sorted(name for name in missing if "pooler" not in name)
    if gaps:
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        raise FixModel(place, f"the weights lack {gaps[0]}{more}", advice="copy the model again")
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise FixModel(place, "its tokenizer has no words", "a folder with a tokenizer.json")


def _kind(config: Any, task: Task, name: str) -> Literal["encoder", "masked", "causal"]:
    names = " ".join(getattr(config, "architectures", None) or [])
    causal = is_causal(getattr(config, "architectures", None))
    if task is Task.ADAPT and not causal:
        refuse_unfit(config, f"model {name}")
        return "masked"
    if task.generates and not causal:
        raise FixModel(
            f"model {name}",
            f"it cannot write text ({names or config.model_type})",
            "a causal language model",
            "use embedded:causal or another causal model",
        )
    return "causal" if causal else "encoder"


def _accepts_pooler(config: Any) -> bool:
    return config.model_type in ("bert", "roberta", "xlm-roberta", "camembert", "electra_pooler")


def _copied(spec: BaseSpec) -> tuple[BaseSpec, Path]:
    """The folder of a base; one of the hub is copied to this machine, and has a revision then.

    Of a folder there is but one revision: what lies in it.
    """
    folder = Path(locate(spec.id))
    if folder.is_dir():
        return replace(spec, revision=None), folder
    folder = fetch(spec.id, spec.revision)
    return replace(spec, revision=folder.name), folder


def _hash(folder: Path, spec: BaseSpec) -> str:
    if spec.revision is not None:
        return hash_value({"id": spec.id, "commit": spec.revision})
    files = [*sorted(folder.glob("*.safetensors")), folder / "config.json"]
    return hash_value({f.name: hash_file(f) for f in files if f.exists()})


def end_tokens(base: Base) -> tuple[int, ...]:
    """Tokens at which the model stops writing, the tokenizer's own first."""
    found: list[int] = []
    if base.tokenizer.eos_token_id is not None:
        found.append(int(base.tokenizer.eos_token_id))
    settings = getattr(base.network, "generation_config", None)
    stops = getattr(settings, "eos_token_id", None)
    for stop in stops if isinstance(stops, list) else [stops]:
        if stop is not None and int(stop) not in found:
            found.append(int(stop))
    return tuple(found)


def stated_pooling(base: Base) -> Literal["mean", "cls"]:
    """How a sentence encoder says its token vectors are pooled; the mean where it says nothing."""
    file = base.folder / "1_Pooling" / "config.json" if base.folder is not None else None
    if file is not None and file.is_file():
        settings = json.loads(file.read_text(encoding="utf-8"))
        if settings.get("pooling_mode_cls_token"):
            return "cls"
    return "mean"
