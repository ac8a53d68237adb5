"""Texts and conversations cut into the words that an explanation speaks of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_texts
from luthier.explain.attribution import Ids, Passage

# Scripts that write no spaces: each sign is a word.
_SIGNS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_LETTERS = rf"[^\W{_SIGNS}]+"
_ADDRESS = r"(?:https?://|www\.)[!-~]*[A-Za-z0-9/]"
# What stands for something else, `<user>`, or only dresses the text, `<br />`.
_MARK = r"</?[A-Za-z][^<>\s]*\s*/?>"
# A number keeps its point and its per cent sign; a name keeps what says that it is one: `$ACME`.
_JOINED = rf"{_LETTERS}(?:(?:['’\-]|(?<=\d)[.,](?=\d)){_LETTERS})*(?:(?<=\d)%)?"
_NAMED = rf"[@#$]{_LETTERS}"
_WORD = re.compile(
    rf"{_ADDRESS}|{_MARK}|[{_SIGNS}]|[@#$]?{_JOINED}|(?:(?!{_MARK}|{_NAMED})[^\w\s])+"
)


def words_of(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends; a run of other signs is a word too, but not what belongs to
    an address, a mark, a name or a number.

    >>> words_of("don't pay, ok?")
    [(0, 5), (6, 9), (9, 10), (11, 13), (13, 14)]
    >>> text = "<user> $ACME up 2.5% (see https://acme.org/a?b=1)"
    >>> [text[start:stop] for start, stop in words_of(text)]
    ['<user>', '$ACME', 'up', '2.5%', '(', 'see', 'https://acme.org/a?b=1', ')']
    """
    return [found.span() for found in _WORD.finditer(text)]


def passages_of(texts: Sequence[str], contract: PromptContract, place: str) -> list[Passage]:
    """Texts for an encoder.

    Raises: FixData for a text without a word.
    """
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise FixData(f"{place}, text {number}", "it is empty", "a text with a word in it")
    found = []
    for text, example in zip(texts, encode_texts(texts, contract), strict=True):
        passage = _passage(text, np.asarray(example.ids[0], np.int64), example.offsets)
        found.append(_checked(passage, place, example.cut))
    return found


def conversation_of(
    messages: Sequence[Mapping[str, Any]], answer: str, contract: PromptContract, place: str
) -> Passage:
    """What was asked and the answer; the words are those of the messages, not of the template.

    Raises: FixData for a conversation without a word, without an answer, or longer than the model
    reads.
    """
    said = [*messages, {"role": "assistant", "content": answer}]
    text, ranges = contract.spans_to_learn(said)
    begin = ranges[-1][0]
    prompt = contract.tokenizer(
        text[:begin], add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    wrote = contract.tokenizer(
        text[begin : ranges[-1][1]], add_special_tokens=False, verbose=False
    )["input_ids"]
    if wrote and wrote[-1] in contract.end_ids:
        wrote = wrote[:-1]
    ids = np.asarray([*prompt["input_ids"], *wrote], np.int64)
    if not wrote:
        raise FixData(place, "the answer is empty", "an answer with a token in it")
    if len(ids) > contract.max_tokens:
        raise FixData(
            place, f"it has {len(ids)} tokens with its answer", f"at most {contract.max_tokens}",
            "shorten it, or train with a larger model.max_tokens",
        )  # fmt: skip
    offsets = [*prompt["offset_mapping"], *[(0, 0)] * len(wrote)]
    passage = _passage(text[:begin], ids, offsets, _inside(text[:begin], said[:-1]), len(wrote))
    return _checked(passage, place, 0)


def _inside(text: str, messages: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Where the contents of the messages stand in the rendered text."""
    found, last = [], 0
    for message in messages:
        content = str(message.get("content") or "").strip()
        start = text.find(content, last) if content else -1
        if start >= 0:
            last = start + len(content)
            found.append((start, last))
    return found


def _passage(
    text: str,
    ids: Ids,
    offsets: Sequence[tuple[int, int]],
    inside: Sequence[tuple[int, int]] | None = None,
    answer: int = 0,
) -> Passage:
    ends = [
        (a, b) for a, b in words_of(text)
        if inside is None or any(first <= a and b <= last for first, last in inside)
    ]  # fmt: skip
    owner = np.full(len(ids), -1, np.int64)
    word = 0
    for token, (start, stop) in enumerate(offsets):
        while stop > start and text[start].isspace():
            start += 1
        while word < len(ends) and ends[word][1] <= start:
            word += 1
        if stop > start and word < len(ends) and ends[word][0] < stop:
            owner[token] = word
    seen = sorted(set(owner[owner >= 0].tolist()))
    place = {old: new for new, old in enumerate(seen)}
    owner = np.asarray([place.get(int(w), -1) for w in owner], np.int64)
    return Passage(text, ids, tuple(ends[w] for w in seen), owner, answer)


def _checked(passage: Passage, place: str, cut: int) -> Passage:
    if not passage.words:
        raise FixData(place, "the model sees no word in this text", "a text with a word in it")
    return replace(passage, cut=cut)
