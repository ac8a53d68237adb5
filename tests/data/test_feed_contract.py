"""The prompt contract: what is supervised, what is refused, what is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from luthier.core.errors import FixData, FixModel
from luthier.core.types import Task
from luthier.data.feed.contract import PLAIN_TEMPLATE, PromptContract, make_contract
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.example import encode_prompt
from luthier.data.feed.labels import LabelSet
from tiny import CHATML, TURN_MARKS, ListedRows, make_tokenizer

GENERATION = CHATML.replace(
    "{{ m.content or '' }}",
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content or '' }}{% endgeneration %}"
    "{% else %}{{ m.content or '' }}{% endif %}",
)
ENDLESS = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
FORGETFUL = (
    "{% for m in messages %}{{ m.role }}: {% if loop.last or m.role != 'assistant' %}"
    "{{ m.content }}{% endif %}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
LLAMA_2 = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"
)
TALK = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "the fee is late"},
    {"role": "assistant", "content": "pay today"},
    {"role": "user", "content": "and my card"},
    {"role": "assistant", "content": "new card now"},
]


def _chat(pad: str = "<pad>", template: str = CHATML, max_tokens: int = 200) -> PromptContract:
    tokenizer = make_tokenizer(TURN_MARKS, eos="<|im_end|>", pad=pad)
    return make_contract(tokenizer, template, [tokenizer.eos_token_id], max_tokens)


def _plain(pad: str = "<pad>", template: str = PLAIN_TEMPLATE) -> PromptContract:
    tokenizer = make_tokenizer(pad=pad)
    return make_contract(tokenizer, template, [tokenizer.eos_token_id], 200)


def _encode(contract: PromptContract, *talks: list[dict[str, Any]], **row: Any) -> Encoded:
    rows = [{"messages": talk, **row} for talk in talks]
    return encode(ListedRows(Task.INSTRUCT, rows), contract, LabelSet(()), "rows.jsonl")


def _learnt(contract: PromptContract, encoded: Encoded, index: int = 0) -> list[str]:
    """The supervised stretches as text."""
    assert encoded.learn is not None
    found: list[list[int]] = [[]]
    for token, learn in zip(encoded.ids[index], encoded.learn[index], strict=True):
        if learn:
            found[-1].append(int(token))
        elif found[-1]:
            found.append([])
    return [contract.tokenizer.decode(part) for part in found if part]


@pytest.mark.parametrize("pad", ["<pad>", "<|im_end|>"], ids=["pad", "pad is end"])
@pytest.mark.parametrize("template", [CHATML, GENERATION], ids=["bare", "generation"])
def test_every_answer_and_its_end(pad: str, template: str) -> None:
    contract = _chat(pad, template)
    assert (contract.tokenizer.pad_token_id in contract.end_ids) is (pad == "<|im_end|>")
    found = _learnt(contract, _encode(contract, TALK))
    assert [text.rstrip("\n") for text in found] == [
        "pay today<|im_end|>",
        "new card now<|im_end|>",
    ]


@pytest.mark.parametrize("pad", ["<pad>", "</s>"], ids=["pad", "pad is end"])
def test_a_model_without_a_template(pad: str) -> None:
    contract = _plain(pad)
    assert _learnt(contract, _encode(contract, TALK)) == ["pay today</s>", "new card now</s>"]


def test_a_template_without_an_end_gets_one() -> None:
    contract = _plain(template=ENDLESS)
    found = _learnt(contract, _encode(contract, TALK))
    assert found == ["pay today\n", "new card now\n</s>"]


@pytest.mark.parametrize("template", [CHATML, PLAIN_TEMPLATE, ENDLESS], ids=["c", "p", "e"])
def test_learnt_text_follows_exactly_what_is_asked_later(template: str) -> None:
    contract = _chat(template=template)
    encoded = _encode(contract, TALK)
    asked = encode_prompt(TALK[:-1], contract)
    assert encoded.ids[0][: len(asked)].tolist() == asked
    assert encoded.learn is not None
    assert encoded.learn[0][len(asked)] == 1
    assert encoded.learn[0][len(asked) - 1] == 0


def test_tool_calls_are_learnt() -> None:
    call = {"type": "function", "function": {"name": "refund", "arguments": '{"sum": 3}'}}
    talk = [
        {"role": "user", "content": "money back"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "done"},
        {"role": "assistant", "content": "it is back"},
    ]
    contract = _chat()
    tools = [{"type": "function", "function": {"name": "refund", "parameters": {}}}]
    found = _learnt(contract, _encode(contract, talk, tools=tools))
    assert found[0].startswith('<call>refund {"sum": 3}</call><|im_end|>')
    assert found[1].startswith("it is back<|im_end|>")
    with pytest.raises(FixModel, match="leaves out tool calls such as 'refund'"):
        _encode(_plain(), talk)


def test_an_absent_content_is_not_the_word_none() -> None:
    text = _plain().render([{"role": "user", "content": None}, {"role": "assistant"}])
    assert "None" not in text


def test_a_template_that_rewrites_earlier_turns() -> None:
    with pytest.raises(FixModel, match="turn 3 is rendered differently"):
        _encode(_plain(template=FORGETFUL), TALK)
    one = _encode(_plain(template=FORGETFUL), TALK[:3])
    assert len(one) == 1


@pytest.mark.parametrize(
    ("template", "mark"),
    [(CHATML, "<|im_end|>"), (LLAMA_2.replace("<s>", ""), "[INST]")],
    ids=["chatml", "llama-2"],
)
def test_a_template_of_another_family(template: str, mark: str) -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(FixModel, match="does not know") as caught:
        make_contract(tokenizer, template, [2], 100)
    assert mark in str(caught.value) and "same model family" in str(caught.value)


@pytest.mark.parametrize("template", [CHATML, LLAMA_2], ids=["chatml", "llama-2"])
def test_the_tokenizers_own_template_is_never_of_another_family(template: str) -> None:
    tokenizer = make_tokenizer(template=template)
    assert make_contract(tokenizer, template, [2], 100).template == template


@pytest.mark.parametrize("template", ["{{ x.y.z }}", "{% for %}", "{{ raise_exception('no') }}"])
def test_a_broken_template(template: str) -> None:
    with pytest.raises(FixModel, match="it cannot be rendered"):
        make_contract(make_tokenizer(), template, [2], 100)


def test_a_slow_tokenizer() -> None:
    with pytest.raises(FixModel, match="no fast version"):
        make_contract(object(), None, [2], 100)


def test_truncation_is_counted_and_rows_without_an_answer_are_dropped() -> None:
    long = [{"role": "user", "content": "late " * 60}, {"role": "assistant", "content": "pay"}]
    mute = [{"role": "user", "content": "the fee"}]
    contract = _chat(max_tokens=50)
    encoded = _encode(contract, TALK, long, mute, TALK[1:3])
    whole = [len(_encode(_chat(max_tokens=400), talk).ids[0]) for talk in (TALK, long)]
    count = encoded.count
    assert encoded.rows.tolist() == [0, 3]
    assert (count.truncated_rows, count.where_truncated) == (2, [1, 2])
    assert count.truncated_tokens == sum(whole) - 2 * 50
    assert (count.dropped_rows, count.where_dropped) == (2, [2, 3])
    assert encoded.ids.lengths.max() == 50 and encoded.learn is not None
    assert count.tokens == encoded.ids.lengths.sum()
    assert count.supervised == sum(int(encoded.learn[i].sum()) for i in range(2))
    assert all(encoded.learn[i].sum() > 0 for i in range(len(encoded)))


def test_overlong_rows_dropped_or_refused() -> None:
    rows = ListedRows(Task.INSTRUCT, [{"messages": TALK}, {"messages": TALK[1:3]}])
    tokenizer = make_tokenizer(TURN_MARKS, eos="<|im_end|>")
    end = [tokenizer.eos_token_id]
    drop = make_contract(tokenizer, CHATML, end, 50, "drop")
    encoded = encode(rows, drop, LabelSet(()), "rows.jsonl")
    assert encoded.rows.tolist() == [1] and encoded.count.where_dropped == [1]
    refuse = make_contract(tokenizer, CHATML, end, 50, "refuse")
    with pytest.raises(FixData, match=r"rows\.jsonl, row 1: .*longer than 50") as caught:
        encode(rows, refuse, LabelSet(()), "rows.jsonl")
    assert "model.max_tokens" in caught.value.advice


def test_no_row_left() -> None:
    with pytest.raises(FixData, match="no row is left"):
        _encode(_chat(), [{"role": "user", "content": "the fee"}])


def test_the_hash_names_everything_that_decides_tokens() -> None:
    tokenizer = make_tokenizer()
    first = make_contract(tokenizer, PLAIN_TEMPLATE, [2], 100)
    assert first.hash == make_contract(make_tokenizer(), PLAIN_TEMPLATE, [2], 100).hash
    others = [
        make_contract(tokenizer, ENDLESS, [2], 100),
        make_contract(tokenizer, PLAIN_TEMPLATE, [2, 3], 100),
        make_contract(tokenizer, PLAIN_TEMPLATE, [2], 99),
        make_contract(tokenizer, PLAIN_TEMPLATE, [2], 100, "drop"),
        make_contract(make_tokenizer(("<x>",)), PLAIN_TEMPLATE, [2], 100),
        make_contract(make_tokenizer(pad="</s>"), PLAIN_TEMPLATE, [2], 100),
    ]
    assert len({first.hash, *(other.hash for other in others)}) == 7


def test_another_contract_is_refused_by_what_differs() -> None:
    tokenizer = make_tokenizer()
    first = make_contract(tokenizer, PLAIN_TEMPLATE, [2], 100)
    saved = json.loads(json.dumps(first.as_dict()))
    first.check(saved, "run 1")
    with pytest.raises(FixModel, match=r"run 1: .* in template, max_tokens"):
        make_contract(tokenizer, ENDLESS, [2], 64).check(saved, "run 1")
