"""`model:` the base model, and `adapter:` which of its parameters are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from luthier.recipe.section import Section


class Model(Section):
    """The base model."""

    id: str = "auto"
    """A hub id, a folder, `embedded:encoder`, `embedded:causal`, or `auto` by task."""
    revision: str | None = None
    """A commit or tag of a hub model."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; `auto` is probed on this machine."""
    quantize: Literal["none", "8bit", "4bit"] = "none"
    """Hold the frozen base in fewer bits (needs the `quantize` extra; slow without a GPU)."""
    max_tokens: int | None = Field(None, ge=4)
    """Longest input in tokens; left out, what the data need, up to what the model can."""
    overlong: Literal["truncate", "drop", "refuse"] = "truncate"
    """What happens to a longer row; counted and shown in every case."""
    template_from: str | None = None
    """Another folder or id whose chat template is used; it must be of the same family."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """The attention kernel."""


class Lora(Section):
    """Low-rank adaptation (Hu et al. 2021)."""

    kind: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1, le=1024)
    """Rank of the update."""
    alpha: float = Field(32.0, gt=0)
    """Scale of the update; divided by the rank, or by its root with `rank_stabilised`."""
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the adapter's input."""
    b_rate: float = Field(1.0, gt=0)
    """Learning rate of the B matrices as a multiple: LoRA+ (Hayou et al. 2024)."""
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Names of the adapted linear layers."""
    top_layers: int | None = Field(None, ge=1)
    """Adapt only so many of the last layers; the rest runs once per row and is kept."""
    rank_stabilised: bool = False
    """Scale by the root of the rank (Kalajdzievski 2023)."""
    decomposed: bool = False
    """Train magnitude and direction apart: DoRA (Liu et al. 2024)."""


class Ia3(Section):
    """Learned scales on keys, values and feed-forward activations (Liu et al. 2022)."""

    kind: Literal["ia3"] = "ia3"
    targets: tuple[str, ...] | Literal["auto"] = "auto"
    """Names of the scaled layers."""
    feedforward: tuple[str, ...] | Literal["auto"] = "auto"
    """Those of them whose input is scaled instead of their output."""
    top_layers: int | None = Field(None, ge=1)
    """Adapt only so many of the last layers."""


class Full(Section):
    """Every parameter of the base is trained."""

    kind: Literal["full"] = "full"
    top_layers: int | None = Field(None, ge=1)
    """Train only so many of the last layers."""


class HeadOnly(Section):
    """The base stays untouched; only the output layer is trained."""

    kind: Literal["none"] = "none"


Adapter = Annotated[Lora | Ia3 | Full | HeadOnly, Field(discriminator="kind")]
