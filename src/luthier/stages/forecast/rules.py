"""Which fast paths are legal, what `auto` becomes, and what training will cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from luthier.core.errors import FixModel, FixRecipe, LowerMemory
from luthier.core.types import Task
from luthier.evaluate.measure import primary
from luthier.models.adapter import Adapter
from luthier.recipe.model import Full, Lora
from luthier.recipe.recipe import Recipe
from luthier.stages.combinations import probe_start
from luthier.stages.forecast.attacks import attacking
from luthier.stages.forecast.result import Costs, Path, Schedule
from luthier.stages.forecast.sharing import Crowd, shard_path
from luthier.stages.safety.attacking.together import against_attacks
from luthier.train.schedule import default_rate

Choice = Literal["auto", "on", "off"]
PRIVATE_RATE, PRIVATE_MULTIPLE = 0.02, 20.0
"""The rate of a new output layer in a private run, and its multiple of a rate that was given."""
PRIVATE_FASTER = 4.0
"""How much faster low-rank factors under such a layer learn there: updates are few and large."""
PROCESS_BYTES = 540e6
"""What a process holds before it has any weights, libraries and tokens included."""
WORKING = 2.0
"""The backward pass and gaps between freed batches take as much again as what is kept for it."""
START_S = 8.0
"""What a run takes beside its updates."""
FEWEST_UPDATES = 60
"""Of instructions: below it a small model hardly leaves the base."""


@dataclass(frozen=True)
class Body:
    """What planning must know of a network: sizes, the bytes of all its parameters, how many are
    trained, why it cannot be cut at a layer or scored in parts (None when it can), whether it fills
    in hidden words, and the processes that could share it."""

    causal: bool
    cuda: bool
    layers: int
    width: int
    inner: int
    bytes: int
    trained: int
    no_cut: str | None
    no_chunks: str | None
    masked: bool = False
    crowd: Crowd = field(default_factory=Crowd)


def paths_of(recipe: Recipe, task: Task, body: Body, adapter: Adapter) -> dict[str, Path]:
    """Every fast path with its verdict.

    Raises: FixRecipe when one is demanded that is not legal here.
    """
    fast = recipe.fast
    verdicts = {
        "bucket": (fast.bucket, None, True, "rows of similar length share a batch"),
        "pack": (
            fast.pack,
            _no_pack(task, recipe, body),
            body.cuda,
            "several rows share a sequence",
        ),
        "prefix_cache": (
            fast.prefix_cache,
            _no_prefix(recipe, body, adapter),
            True,
            f"{_frozen(body, adapter)} frozen layers run once per row",
        ),
        "chunked_loss": (
            fast.chunked_loss,
            body.no_chunks if task.generates else "this task has no vocabulary to score",
            True,
            "logits are never all held at once",
        ),
        "token_cache": (fast.token_cache, None, True, "tokens of the same rows are kept"),
        "fused_optimizer": (
            fast.fused_optimizer,
            None if recipe.train.optimizer.kind == "adamw" else "only AdamW has a fused kernel",
            True,
            "one kernel updates all parameters",
        ),
    }
    found = {name: _verdict(name, *parts) for name, parts in verdicts.items()}
    return found | {"shard": shard_path(recipe, body)}


def _verdict(name: str, wish: Choice, illegal: str | None, pays: bool, why: str) -> Path:
    if illegal is not None:
        if wish == "on":
            raise FixRecipe(f"fast.{name}", f"it is not possible: {illegal}", advice="use auto")
        return Path(False, illegal)
    if wish == "off":
        return Path(False, "switched off in the recipe")
    if wish == "auto" and not pays:
        return Path(False, "legal, but bucketing is faster on this machine")
    return Path(True, why)


def _no_pack(task: Task, recipe: Recipe, body: Body) -> str | None:
    if task not in (Task.INSTRUCT, Task.ADAPT):
        return f"rows of a {task.value} task are not packed"
    if body.masked:
        return "an encoder reads its whole input at once, so rows would see each other"
    if against_attacks(recipe):
        return "each row is disturbed on its own"
    return "the prefix cache keeps rows apart" if recipe.fast.prefix_cache == "on" else None


def _frozen(body: Body, adapter: Adapter) -> int:
    return body.layers - (adapter.top_layers or body.layers)


def _no_prefix(recipe: Recipe, body: Body, adapter: Adapter) -> str | None:
    if _frozen(body, adapter) == 0:
        return "every layer is trained (set adapter.top_layers)"
    if body.masked:
        return "other words are hidden in each pass, so the frozen layers never give the same twice"
    if against_attacks(recipe, "words"):
        return "words are exchanged in each pass, so the frozen layers never give the same twice"
    if recipe.fast.base_dropout:
        return "the dropout of the base is on, so its layers never give the same twice"
    return body.no_cut


def resolved(recipe: Recipe, task: Task, rows: int, body: Body, adapter: Adapter) -> Recipe:
    """The recipe with every `auto` that depends on data and model filled in."""
    train = recipe.train
    rate = train.learning_rate
    if rate == "auto":
        rate = default_rate(body.width, train.batch_size, adapter.rate_factor(), body.causal)
        if _private(recipe) and isinstance(recipe.adapter, Lora) and not task.generates:
            rate *= PRIVATE_FASTER
    epochs = train.epochs or default_epochs(task, rows, train.batch_size)
    filled = {
        "learning_rate": float(f"{rate:.4g}"),
        "epochs": epochs,
        "head_rate": _head_rate(recipe, rate),
        "probe_start": probe_start(recipe, task),
    }
    update: dict[str, Any] = {"train": train.model_copy(update=filled), "task": task}
    if body.masked and recipe.evaluate.metric == "auto":
        metric = primary(task, masked=True)
        update["evaluate"] = recipe.evaluate.model_copy(update={"metric": metric})
    return recipe.model_copy(update=update)


def _private(recipe: Recipe) -> bool:
    return recipe.safety is not None and recipe.safety.privacy is not None


def _head_rate(recipe: Recipe, rate: float) -> float:
    """The multiple of `rate` for a new output layer.

    In a private run nothing may be fitted beforehand, so it has far to go, and the rate of an
    adapter leaves it under way when the updates are spent.
    """
    given = recipe.train.head_rate
    if given != "auto":
        return given
    if not _private(recipe):
        return 1.0
    own = recipe.train.learning_rate != "auto"
    return PRIVATE_MULTIPLE if own else float(f"{PRIVATE_RATE / rate:.4g}")


def default_epochs(task: Task, rows: int, batch_size: int) -> float:
    """Enough passes for about 400 updates, at least 3 and at most 10; for text answers 600, 2 to 5.

    Few rows need many passes before an adapter moves; many rows need few. A classifier begins as
    a fitted probe, and early stopping ends what does not improve. Answers begin as the base writes
    them, so instructions get `FEWEST_UPDATES` however few they are (bench/fewshot_writing).
    """
    steps = max(1, math.ceil(rows / batch_size))
    if task.generates:
        least = max(2, math.ceil(FEWEST_UPDATES / steps)) if task is Task.INSTRUCT else 2
        return float(max(least, min(5, round(600 / steps))))
    return float(min(10, max(3, round(400 / steps))))


def schedule(recipe: Recipe, rows: int) -> Schedule:
    """Updates, passes and validation rhythm of a resolved recipe."""
    train = recipe.train
    per_epoch = max(1, math.ceil(rows / train.batch_size))
    steps = max(1, round(per_epoch * train.epochs))
    if train.max_steps is not None:
        steps = min(steps, train.max_steps)
    assert train.learning_rate != "auto"
    every = max(1, steps // train.validations)
    return Schedule(steps, per_epoch, steps / per_epoch, float(train.learning_rate), every)


def most_tokens(recipe: Recipe, longest: int, base: str) -> int:
    """The length rows are cut to: the recipe's, or the most the base can read.

    Raises: FixModel for more than that.
    """
    wanted = recipe.model.max_tokens or longest
    if wanted > longest:
        raise FixModel("model.max_tokens", f"it is {wanted}", f"at most {longest} for {base}")
    return wanted


def costs(
    recipe: Recipe, body: Body, lengths: NDArray[np.int64], steps: int, per_token: float
) -> Costs:
    """Memory and time of a resolved recipe, from the sizes of what is kept.

    `lengths` are the tokens of the training rows, `per_token` the seconds of a forward pass.

    Raises: LowerMemory when not even one row fits into what is free.
    """
    batch = recipe.train.batch_size
    factor = {"full": 3.0, "none": 1.1}.get(recipe.adapter.kind, 2.6)
    tokens = float(lengths.mean()) * batch * (2 if recipe.task is Task.PREFER else 1)
    seconds = steps * tokens * per_token * factor
    forward = float(lengths.mean()) * per_token
    seconds += attacking(recipe, seconds, forward) + START_S
    whole = isinstance(recipe.adapter, Full) and recipe.adapter.top_layers is None
    per_row = _activation_bytes(body, float(np.quantile(lengths, 0.99)), whole)
    free = psutil.virtual_memory().available
    room = max(1, int(0.6 * (free - body.trained * 12) / per_row))
    if free < body.bytes * 0.1 + body.trained * 12 + per_row:
        raise LowerMemory(
            "this machine",
            f"{free / 1e6:.0f} MB are free and one row needs about {per_row / 1e6:.0f} MB",
            advice="lower model.max_tokens, or use a smaller model or adapter.top_layers",
        )
    micro = recipe.train.micro_batch or min(batch, room)
    memory = PROCESS_BYTES + body.bytes + body.trained * 12 + WORKING * per_row * micro
    return Costs(round(memory / 1e6, 1), round(seconds, 1), micro)


def untrained(body: Body) -> Costs:
    """What a run costs that has no row to learn from."""
    return Costs(round((PROCESS_BYTES + body.bytes) / 1e6, 1), START_S, 1)


def _activation_bytes(body: Body, tokens: float, whole: bool) -> float:
    """Bytes kept for the backward pass of one row: about 16 widths per token and layer, and the
    attention weights where the kernel keeps them (Korthikanti et al. 2022, section 4.1)."""
    kept = 8 * body.width + 2 * body.inner + (2 * body.inner if whole else 0)
    return float(4.0 * tokens * body.layers * kept)
