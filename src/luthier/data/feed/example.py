"""One row as tokens, for each kind of task."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from luthier.core.types import Task
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.labels import LabelSet, tags_from_spans

Tokens: TypeAlias = Sequence[int] | NDArray[np.generic]


@dataclass(frozen=True)
class Numbered:
    """A canonical row with its table index and the name of its place in messages."""

    index: int
    place: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """Tokens of one row; `cut` counts the tokens that did not fit."""

    row: int
    ids: tuple[Tokens, ...]
    learn: tuple[Tokens, ...] = ()
    target: Any = None
    offsets: Sequence[tuple[int, int]] = ()
    weight: float = 1.0
    cut: int = 0

    @property
    def supervised(self) -> int:
        """Tokens, or answers, that the loss reads."""
        if not self.learn:
            if isinstance(self.target, list) and len(self.offsets):
                return sum(tag >= 0 for tag in self.target)
            return 1 if len(self.ids[0]) else 0
        counts = [int(np.sum(mask)) for mask in self.learn]
        return min(counts) and sum(counts)

    def compact(self) -> Example:
        """The same in small arrays, so that a large file does not become a list of objects."""
        return replace(
            self,
            ids=tuple(np.asarray(ids, np.int32) for ids in self.ids),
            learn=tuple(np.asarray(mask, np.uint8) for mask in self.learn),
        )


def examples_of(
    numbered: Sequence[Numbered], task: Task, contract: PromptContract, labels: LabelSet
) -> Iterator[Example]:
    """The examples of some rows, in order; raw text may give several per row."""
    if task is Task.INSTRUCT:
        yield from (_conversation(n.index, n.row, contract) for n in numbered)
    elif task is Task.PREFER:
        yield from (_pair(n.index, n.row, contract) for n in numbered)
    elif task is Task.ADAPT:
        pieces = _raw if contract.masking is None else _hidden
        for n in numbered:
            yield from pieces(n.index, n.row, contract)
    else:
        yield from _labelled(numbered, task, contract, labels)


def encode_texts(
    texts: Sequence[str], contract: PromptContract, with_offsets: bool = True
) -> list[Example]:
    """Texts for an encoder, with its special tokens, cut to the contract's length.

    The characters each token covers take longer to find than the tokens themselves.
    """
    backend = contract.tokenizer.backend_tokenizer
    # The library keeps these settings of earlier calls inside the same object.
    backend.no_truncation()
    backend.no_padding()
    encode = backend.encode_batch if with_offsets else backend.encode_batch_fast
    plain = None if contract.canonical is None else [contract.canonical(t) for t in texts]
    texts = [t.text for t in plain] if plain is not None else texts
    examples = []
    for i, found in enumerate(encode(list(texts))):
        ids, offsets = found.ids, found.offsets if with_offsets else []
        cut = max(0, len(ids) - contract.max_tokens)
        if cut:
            offsets = offsets or backend.encode(texts[i]).offsets
            # The closing special token stays where the tokenizer adds one.
            tail = 1 if offsets[-1][0] == offsets[-1][1] else 0
            keep = contract.max_tokens - tail
            ids = ids[:keep] + ids[len(ids) - tail :]
            offsets = offsets[:keep] + offsets[len(offsets) - tail :]
        trimmed = [_without_spaces(texts[i], *ends) for ends in offsets] if with_offsets else []
        if plain is not None:
            trimmed = [plain[i].back(*ends) for ends in trimmed]
        examples.append(Example(i, (ids,), offsets=trimmed, cut=cut))
    return examples


def _without_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    # Byte-level tokens own the space before a word, which no marked part begins with.
    while start < end and text[start].isspace():
        start += 1
    return start, end


def encode_prompt(
    messages: Sequence[Mapping[str, Any]], contract: PromptContract, tools: Any = None
) -> list[int]:
    """The tokens after which the assistant begins to write."""
    text = contract.render(messages, tools, reply=True)
    said = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    before = [contract.render(messages[:i], tools, reply=True) for i in said]
    return _tokens(text, [len(b) for b in before if text.startswith(b)], contract)[0]


def _labelled(
    numbered: Sequence[Numbered], task: Task, contract: PromptContract, labels: LabelSet
) -> Iterator[Example]:
    encoded = encode_texts([str(n.row["text"]) for n in numbered], contract, task is Task.TAG)
    for n, example in zip(numbered, encoded, strict=True):
        yield Example(
            n.index,
            example.ids,
            target=_target(n.row, task, example.offsets, labels, n.place),
            offsets=example.offsets,
            weight=_weight(n.row),
            cut=example.cut,
        )


def _target(
    row: Mapping[str, Any],
    task: Task,
    offsets: Sequence[tuple[int, int]],
    labels: LabelSet,
    place: str,
) -> Any:
    if task is Task.CLASSIFY:
        return labels.number(str(row["label"]), place)
    if task is Task.MULTILABEL:
        numbers = {labels.number(str(name), place) for name in row["labels"]}
        return [1.0 if i in numbers else 0.0 for i in range(len(labels.names))]
    if task is Task.TAG:
        return tags_from_spans(row["spans"], offsets, labels, place)
    return float(row["label"])


def _conversation(index: int, row: Mapping[str, Any], contract: PromptContract) -> Example:
    text, ranges = contract.spans_to_learn(row["messages"], row.get("tools"))
    ids, learn = _mark(text, ranges, contract)
    cut = max(0, len(ids) - contract.max_tokens)
    return Example(
        index,
        (ids[: contract.max_tokens],),
        (learn[: contract.max_tokens],),
        weight=_weight(row),
        cut=cut,
    )


def _pair(index: int, row: Mapping[str, Any], contract: PromptContract) -> Example:
    sides = []
    cut = 0
    for answer in (row["chosen"], row["rejected"]):
        messages = [*row["messages"], {"role": "assistant", "content": answer}]
        text, ranges = contract.spans_to_learn(messages)
        # Only the answer in question is compared, not earlier turns.
        ids, learn = _mark(text, ranges[-1:], contract)
        cut = max(cut, len(ids) - contract.max_tokens)
        sides.append((ids[: contract.max_tokens], learn[: contract.max_tokens]))
    (a, learn_a), (b, learn_b) = sides
    return Example(index, (a, b), (learn_a, learn_b), weight=_weight(row), cut=max(0, cut))


def _raw(index: int, row: Mapping[str, Any], contract: PromptContract) -> Iterator[Example]:
    ids = list(
        contract.tokenizer(str(row["text"]), add_special_tokens=False, verbose=False)["input_ids"]
    )
    begin = contract.tokenizer.bos_token_id
    start = [begin] if begin is not None else []
    ids = [*start, *ids, *contract.end_ids[:1]]
    # A long document becomes several sequences; nothing of it is thrown away.
    for first in range(0, len(ids), contract.max_tokens):
        part = ids[first : first + contract.max_tokens]
        if len(part) > 1:
            learn = [0] + [1] * (len(part) - 1)
            yield Example(index, (part,), (learn,), weight=_weight(row))


def _hidden(index: int, row: Mapping[str, Any], contract: PromptContract) -> Iterator[Example]:
    """A text for a masked language model; a long one becomes pieces of equal length."""
    assert contract.masking is not None
    found = contract.tokenizer(
        str(row["text"]), add_special_tokens=True, return_special_tokens_mask=True, verbose=False
    )
    ids, marks = np.asarray(found["input_ids"], np.int64), np.asarray(found["special_tokens_mask"])
    inside = np.flatnonzero(marks == 0)
    first, last = (inside[0], inside[-1] + 1) if len(inside) else (len(ids), len(ids))
    room = max(1, contract.max_tokens - (len(ids) - (last - first)))
    for part in np.array_split(ids[first:last], max(1, -(-(last - first) // room))):
        piece = np.concatenate([ids[:first], part, ids[last:]])
        learn = contract.masking.fixed(piece).learn
        yield Example(index, (piece,), (learn,), weight=_weight(row))


def _mark(
    text: str, ranges: Sequence[tuple[int, int]], contract: PromptContract
) -> tuple[list[int], list[int]]:
    ids, offsets = _tokens(text, [first for first, _ in ranges], contract)
    learn = [0] * len(ids)
    for first, last in ranges:
        inside = [t for t, (s, e) in enumerate(offsets) if first <= s < last and e > s]
        for token in inside:
            learn[token] = 1
    ends_whole = bool(ranges) and ranges[-1][1] == len(text)
    if ends_whole and contract.end_ids and not _ends(ids, learn, contract.end_ids):
        ids.append(contract.end_ids[0])
        learn.append(1)
    return ids, learn


def _tokens(
    text: str, starts: Sequence[int], contract: PromptContract
) -> tuple[list[int], list[tuple[int, int]]]:
    """Tokens and their offsets; none reaches over a place where the assistant begins to write.

    A prompt ends there when it is asked, so a token that held its last space and the first letter
    of the answer would never be asked for.
    """
    ids, offsets = _pieces(text, [], contract)
    cuts = [c for c in starts if any(s < c < e for s, e in offsets)]
    return _pieces(text, cuts, contract) if cuts else (ids, offsets)


def _pieces(
    text: str, cuts: Sequence[int], contract: PromptContract
) -> tuple[list[int], list[tuple[int, int]]]:
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    for first, last in itertools.pairwise([0, *cuts, len(text)]):
        found = contract.tokenizer(
            text[first:last], add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids += found["input_ids"]
        offsets += [(s + first, e + first) for s, e in found["offset_mapping"]]
    return ids, offsets


def _ends(ids: Sequence[int], learn: Sequence[int], end_ids: Sequence[int]) -> bool:
    # Templates may add a line break after the end token, so the last few are looked at.
    return any(m and t in end_ids for t, m in zip(ids[-3:], learn[-3:], strict=True))


def _weight(row: Mapping[str, Any]) -> float:
    weight = row.get("weight")
    return 1.0 if weight is None else float(weight)
