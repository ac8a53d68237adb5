"""Tiny random models, a byte-level tokenizer and rows, so that the engine is tested in seconds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedTokenizerFast,
)

from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, EpochBatches
from luthier.data.feed.contract import PLAIN_TEMPLATE, PromptContract, make_contract
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.labels import LabelSet
from luthier.data.feed.masking import Masking
from luthier.data.feed.ragged import Ragged
from luthier.models.adapter import Adapter
from luthier.models.adapters.lora import LowRank
from luthier.models.base import Base, BaseSpec, end_tokens, load_base
from luthier.models.build import HeadFacts, assemble, build_head
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.recipe.train import Train
from luthier.stages.parts.answers import Exam, score_all
from luthier.stages.parts.prefix import keep_prefix
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.updates.rules import Descent
from luthier.train.watcher import Watcher

WORDS = [
    "the",
    "bank",
    "pays",
    "a",
    "card",
    "fee",
    "today",
    "and",
    "my",
    "loan",
    "was",
    "late",
    "again",
    "please",
    "send",
    "new",
    "money",
    "back",
    "now",
    "patient",
    "has",
    "fever",
    "pain",
    "in",
    "left",
    "arm",
    "no",
    "cough",
    "since",
    "monday",
    "takes",
    "iron",
    "tablets",
    "daily",
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}<call>{{ call.function.name }} "
    "{{ call.function.arguments }}</call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURN_MARKS = ("<|im_start|>", "<|im_end|>")


def make_tokenizer(
    special: Sequence[str] = (),
    eos: str = "</s>",
    pad: str = "<pad>",
    template: str | None = None,
    encoder: bool = False,
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with few merges; every text comes back from it unchanged."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    marks = list(dict.fromkeys([pad, "<s>", eos, "<cls>", "<sep>", *special]))
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=marks,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator([" ".join(WORDS)], trainer)
    if encoder:
        ends = [(mark, raw.token_to_id(mark)) for mark in ("<cls>", "<sep>")]
        raw.post_processor = processors.TemplateProcessing(
            single="<cls> $A <sep>", special_tokens=ends
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token=eos, pad_token=pad, model_max_length=256
    )
    made.chat_template = template
    return made


def bert_config(**changes: Any) -> Any:
    """A BERT of three layers, 32 wide, dropout on."""
    from transformers import BertConfig

    given: dict[str, Any] = {
        "vocab_size": 320,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "architectures": ["BertModel"],
    }
    return BertConfig(**(given | changes))


def llama_config(**changes: Any) -> Any:
    """A Llama of three layers, 32 wide."""
    from transformers import LlamaConfig

    given: dict[str, Any] = {
        "vocab_size": 320,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "architectures": ["LlamaForCausalLM"],
    }
    return LlamaConfig(**(given | changes))


def random_model(config: Any, causal: bool | Any, seed: int = 0) -> Any:
    """A model of random weights, large enough that layers matter; or of another Auto class."""
    torch.manual_seed(seed)
    loader = {True: AutoModelForCausalLM, False: AutoModel}.get(causal, causal)
    model = loader.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0.0, 0.3 if "embed" in name else 0.15)
    return model.eval()


def save_model(
    folder: Path, config: Any, causal: bool, tokenizer: PreTrainedTokenizerFast | None = None
) -> Path:
    """A model folder as a hub would give it."""
    random_model(config, causal).save_pretrained(str(folder))
    (tokenizer or make_tokenizer(encoder=not causal)).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random BERT."""
    return save_model(tmp_path_factory.mktemp("bert"), bert_config(), causal=False)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random Llama without a chat template."""
    return save_model(tmp_path_factory.mktemp("llama"), llama_config(), causal=True)


@pytest.fixture(scope="session")
def masked_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random BERT with its masked-language-model head."""
    config = bert_config(architectures=["BertForMaskedLM"])
    return save_masked(tmp_path_factory.mktemp("masked"), config)


def save_masked(folder: Path, config: Any) -> Path:
    """A folder of an encoder with its masked-language-model head, and a tokenizer with a mask."""
    model = random_model(config, AutoModelForMaskedLM)
    model.save_pretrained(str(folder))
    tokenizer = make_tokenizer(special=("<mask>",), encoder=True)
    tokenizer.mask_token = "<mask>"
    tokenizer.save_pretrained(str(folder))
    return folder


def sentences(count: int, seed: int = 0, longest: int = 14) -> list[str]:
    """Texts of unequal length."""
    dice = random.Random(seed)
    return [
        " ".join(dice.choice(WORDS) for _ in range(dice.randint(2, longest))) for _ in range(count)
    ]


def task_rows(task: Task, count: int = 24, seed: int = 0) -> list[dict[str, Any]]:
    """Canonical rows of a task."""
    asked, told = sentences(count, seed), sentences(count, seed + 1, longest=6)
    other = sentences(count, seed + 2, longest=6)
    if task is Task.CLASSIFY:
        return [{"text": t, "label": "abc"[i % 3]} for i, t in enumerate(asked)]
    if task is Task.MULTILABEL:
        return [{"text": t, "labels": list("abc"[: i % 4])} for i, t in enumerate(asked)]
    if task is Task.REGRESS:
        return [{"text": t, "label": float(len(t))} for t in asked]
    if task is Task.TAG:
        return [{"text": t, "spans": [[0, t.index(" "), "ab"[len(t) % 2]]]} for t in asked]
    if task is Task.ADAPT:
        return [{"text": t} for t in asked]
    asks = [[{"role": "user", "content": t}] for t in asked]
    if task is Task.PREFER:
        return [
            {"messages": m, "chosen": c, "rejected": r}
            for m, c, r in zip(asks, told, other, strict=True)
        ]
    return [
        {"messages": [*m, {"role": "assistant", "content": c}]}
        for m, c in zip(asks, told, strict=True)
    ]


@dataclass(frozen=True)
class ListedRows:
    """Rows in memory, with the face of a table."""

    task: Task
    listed: Sequence[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.listed)

    def row(self, index: int) -> dict[str, Any]:
        """One row."""
        return dict(self.listed[index])

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        return (self.row(index) for index in indices)

    def source_row(self, index: int) -> int:
        """Its number in a file."""
        return index + 1


@dataclass(frozen=True)
class Bench:
    """A tiny base with adapter, head and tokens, ready to be trained."""

    base: Base
    network: Network
    adapter: Adapter
    head: Head
    contract: PromptContract
    encoded: Encoded
    plan: BatchPlan
    table: ListedRows
    facts: HeadFacts

    @property
    def all(self) -> NDArray[np.int64]:
        """Every example."""
        return np.arange(len(self.encoded))

    def batches(
        self,
        hidden: Ragged | None = None,
        reference: NDArray[np.float32] | None = None,
        **plan: Any,
    ) -> EpochBatches:
        """The batches of all examples under a changed plan."""
        changed = replace(self.plan, **plan)
        return EpochBatches(self.encoded, self.all, changed, hidden, reference)

    def exam(self, hidden: Ragged | None = None) -> Exam:
        """All examples to be answered."""
        return Exam(self.encoded, self.all, self.table, self.plan, hidden)  # type: ignore[arg-type]

    def reference(self) -> NDArray[np.float32]:
        """The untouched model's margins, for DPO."""
        return np.concatenate(score_all(self.network, self.head, self.exam()))

    def prefix(self, below: int, folder: Path) -> Ragged:
        """The frozen prefix; from now on the network is entered above it."""
        self.network.cut_below(below)
        return keep_prefix(self.network, self.exam(), below, folder, Quiet())

    def begin(self, **descent: Any) -> tuple[Step, TrainingState]:
        """A step and a state before its first update."""
        given: dict[str, Any] = {"rate": 1e-2, "schedule": RateSchedule(20, warmup=0.1)}
        step = Step(self.head.losses, PlainGradient(), Descent(**(given | descent)))
        seed = self.plan.seed
        return step, TrainingState.begin(self.network, step.update, seed, base_dropout=False)

    def train(
        self, steps: int, batches: EpochBatches, watchers: Sequence[Watcher] = (), **descent: Any
    ) -> TrainingState:
        """The state after `steps` updates."""
        step, state = self.begin(**descent)
        return fit(state, step, batches, Budget(steps), watchers)


class Quiet:
    """A listener that ignores everything."""

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Ignored."""

    def advance(self, units: int = 1, note: str = "") -> None:
        """Ignored."""

    def say(self, message: str) -> None:
        """Ignored."""


def make_bench(
    folder: Path,
    task: Task,
    adapter: Adapter | None = None,
    rows: Sequence[dict[str, Any]] | None = None,
    seed: int = 0,
    chunked: bool = True,
    objective: str = "auto",
    template: str | None = PLAIN_TEMPLATE,
    max_tokens: int = 96,
    quantize: Literal["none", "8bit", "4bit"] = "none",
) -> Bench:
    """A base from `folder`, tuned for `task` on `rows`."""
    base = load_base(BaseSpec(str(folder), quantize=quantize), task)
    table = ListedRows(task, rows or task_rows(task))
    labels = LabelSet.collect(task, iter(table.listed))
    facts = HeadFacts(labels, 20.0, 9.0) if task is Task.REGRESS else HeadFacts(labels)
    facts = replace(facts, masked=base.masked)
    chosen = adapter or LowRank(rank=4, alpha=8.0)
    head = build_head(task, facts, Train(objective=objective), chunked)  # type: ignore[arg-type]
    network = assemble(base, chosen, head, seed)
    template = template if task.generates and not base.masked else None
    contract = make_contract(base.tokenizer, template, end_tokens(base), max_tokens)
    if base.masked:
        masking = Masking.of(base.tokenizer, base.config.vocab_size, "tiny")
        contract = replace(contract, masking=masking)
    encoded = encode(table, contract, labels, "rows")
    plan = BatchPlan(batch_size=8, seed=seed, pad_id=int(base.tokenizer.pad_token_id))
    return Bench(base, network, chosen, head, contract, encoded, plan, table, facts)


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest absolute difference between two snapshots of the same parameters."""
    assert one.keys() == other.keys() and one
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two snapshots are equal to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def losses_of(state: TrainingState) -> list[float]:
    """The loss curve."""
    return [value for _, name, value in state.curve if name == "loss"]


def each_step(batches: EpochBatches, steps: int) -> Iterator[Any]:
    """The logical batches of the first updates."""
    return (batches.at(step) for step in range(steps))
