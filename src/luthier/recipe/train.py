"""`train:` how the parameters are updated, and `fast:` which fast paths may be taken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from luthier.recipe.section import Section
from luthier.recipe.track import Track


class Schedule(Section):
    """Warm up, stay, decay: one trajectory that can be stopped and continued anywhere."""

    kind: Literal["wsd", "cosine", "linear", "constant"] = "wsd"
    """Shape of the learning rate over the steps."""
    warmup: float = Field(0.06, ge=0.0, le=1.0)
    """Share of the steps in which the rate rises from zero."""
    decay: float = Field(0.3, ge=0.0, le=1.0)
    """Share of the steps at the end in which `wsd` falls to `floor`."""
    floor: float = Field(0.0, ge=0.0, le=1.0)
    """Lowest rate as a share of the highest."""


class Optimizer(Section):
    """The update rule."""

    kind: Literal["adamw", "sgd", "adafactor", "lion"] = "adamw"
    """Name of the rule."""
    weight_decay: float = Field(0.01, ge=0.0)
    """Decoupled weight decay, on matrices only."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the moving averages."""
    epsilon: float = Field(1e-8, gt=0)
    """Numerical floor of the denominator."""
    clip_norm: float | None = Field(1.0, gt=0)
    """Largest norm of a gradient; null switches clipping off."""


class Train(Section):
    """How the parameters are updated."""

    epochs: float = Field(0.0, ge=0.0)
    """Passes over the training rows; 0 chooses by the number of rows."""
    max_steps: int | None = Field(None, ge=1)
    """Upper limit on updates."""
    batch_size: int = Field(32, ge=1)
    """Rows per update."""
    micro_batch: int | None = Field(None, ge=1)
    """Rows per forward pass; left out, as many as fit."""
    learning_rate: Literal["auto"] | float = "auto"
    """Highest learning rate; `auto` is computed from adapter, width and batch."""
    head_rate: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    """Learning rate of a new output layer as a multiple of `learning_rate`; `auto` is 1; in
    private runs it makes 0.02 of it, or 20 where `learning_rate` is given."""
    probe_start: Literal["auto"] | Annotated[float, Field(ge=0.0, le=1.0)] = "auto"
    """How much of the linear probe's weights training starts from (classification): of 1 the
    probe answers as it does, with less the layers below are left more to learn; `auto` is 0.3."""
    stack: Literal["off", "on"] = "off"
    """Join the trained network with a classifier of words and character sequences of the same
    training rows; validation rows set how much each counts (classification)."""
    schedule: Schedule = Schedule()
    """The learning rate over the steps."""
    optimizer: Optimizer = Optimizer()
    """The update rule."""
    objective: Literal["auto", "dpo", "orpo"] = "auto"
    """The loss of preference tuning; other tasks have one."""
    patience: int | None = Field(3, ge=1)
    """Stop after so many validations without a better one; null never stops early."""
    validations: int = Field(8, ge=1)
    """Validations spread over the whole training."""
    seed: int = 0
    """Seed of order, initialisation and dropout."""


class Fast(Section):
    """Fast paths: taken where legal; `off` forbids one, `on` makes it an error if illegal."""

    bucket: Literal["auto", "on", "off"] = "auto"
    """Batches of similar length, so that little is padded."""
    pack: Literal["auto", "on", "off"] = "auto"
    """Several rows in one sequence with attention boundaries (causal models)."""
    prefix_cache: Literal["auto", "on", "off"] = "auto"
    """Frozen lower layers run once per row."""
    chunked_loss: Literal["auto", "on", "off"] = "auto"
    """Cross-entropy that never holds all logits (causal models)."""
    token_cache: Literal["auto", "on", "off"] = "auto"
    """Tokenised rows are kept for the next run."""
    fused_optimizer: Literal["auto", "on", "off"] = "auto"
    """One kernel for the whole update."""
    shard: Literal["auto", "on", "off"] = "auto"
    """Several processes hold a part of the model each; `auto` where it does not fit one device."""
    base_dropout: bool = False
    """Keep the dropout of the frozen base on while adapters are trained."""


class Evaluate(Section):
    """How the result is measured."""

    metric: str = "auto"
    """The metric that chooses the best checkpoint; never replaced by another."""
    draws: int = Field(1000, ge=100)
    """Bootstrap draws for intervals."""
    seed: int = 7
    """Seed of the bootstrap."""
    forgetting: bool = True
    """Measure a fixed general text before and after (models of text and of hidden words)."""
    probe: bool = True
    """Also measure a linear probe on the untouched base (classification)."""
    max_new_tokens: int = Field(128, ge=1)
    """Longest generated answer."""
    generate_rows: int = Field(256, ge=1)
    """Rows answered by generation in the last evaluation, at most; the report says how many."""
    track: Track | None = None
    """Follow explanations of a few rows during training (classify, instruct); left out, not."""
    harness: tuple[str, ...] = ()
    """Tasks of lm-evaluation-harness, by name or YAML file, on base and tuned (`harness` extra)."""
