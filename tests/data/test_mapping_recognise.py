"""Files of every usual shape are recognised, and unclear ones are asked about."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from luthier.core.errors import FixData, FixRecipe
from luthier.core.types import Task
from luthier.data.mapping import canonical_rows, recognise
from luthier.data.source import open_source

SAID = "the card was lost on the way to the shop and nobody found it"
WORDS = SAID.split()


def prose(i: int, words: int = 6) -> str:
    return " ".join(WORDS[(i * 7 + k * (i % 5 + 1)) % len(WORDS)] for k in range(words)) + f" {i}"


def rows(count: int = 60, **columns: Any) -> list[dict[str, Any]]:
    """`count` rows; a column is a value or a function of the row number."""
    return [
        {name: made(i) if callable(made) else made for name, made in columns.items()}
        for i in range(count)
    ]


def kind(i: int) -> str:
    return ("open", "closed", "lost")[i % 3]


@pytest.mark.parametrize("text", ["text", "sentence", "Message", "ticket_text", "Review Body"])
@pytest.mark.parametrize("label", ["label", "category", "Intent", "sentiment", "ticketClass"])
def test_usual_names(text: str, label: str) -> None:
    mapping, said = recognise(rows(**{text: prose, label: kind}))
    assert (mapping.task, mapping.text, mapping.label) == (Task.CLASSIFY, (text,), label)
    assert any(f"'{text}'" in sentence for sentence in said)
    assert any(f"'{label}'" in sentence for sentence in said)


def test_free_names_go_by_what_they_hold() -> None:
    mapping, said = recognise(rows(nachricht=prose, art=kind, nr=lambda i: i))
    assert (mapping.task, mapping.text, mapping.label) == (Task.CLASSIFY, ("nachricht",), "art")
    assert any("by its values" in sentence for sentence in said)
    assert any("Not used: nr" in sentence for sentence in said)


def test_the_given_columns_win() -> None:
    sample = rows(text=prose, label=kind, category=lambda i: kind(i + 1), note=prose)
    mapping, _ = recognise(sample, given={"text": ["note", "text"], "label": "category"})
    assert (mapping.text, mapping.label) == (("note", "text"), "category")
    mapping, _ = recognise(sample, task=Task.ADAPT)
    assert (mapping.task, mapping.text) == (Task.ADAPT, ("text",))


def test_names_of_classes_win_over_numbers() -> None:
    mapping, _ = recognise(rows(text=prose, label=lambda i: i % 3, label_text=kind))
    assert mapping.label == "label_text"


def test_title_and_body_are_read_together() -> None:
    mapping, _ = recognise(rows(subject=prose, body=prose, label=kind))
    assert mapping.text == ("subject", "body")


@pytest.mark.parametrize("mark", ["|", ";"])
def test_several_labels_in_a_cell(mark: str) -> None:
    names = ["a", f"a{mark}b", f"b{mark}c", "c", f"a{mark}c"]
    mapping, _ = recognise(rows(text=prose, label=lambda i: names[i % 5]))
    assert (mapping.task, mapping.divider) == (Task.MULTILABEL, mark)


@pytest.mark.parametrize("written", [["a", "b"], '["a", "b"]'])
def test_lists_of_labels(written: Any) -> None:
    mapping, _ = recognise(rows(text=prose, labels=lambda i: written))
    assert (mapping.task, mapping.label) == (Task.MULTILABEL, "labels")


def test_a_comma_in_a_class_name_divides_nothing() -> None:
    names = ["Suicide, Self-Harm", "Weapons, Drugs", "Scams and Fraud"]
    mapping, _ = recognise(rows(text=prose, label=lambda i: names[i % 3]))
    assert (mapping.task, mapping.divider) == (Task.CLASSIFY, None)


def test_numbers_are_classes_or_measurements() -> None:
    mapping, _ = recognise(rows(text=prose, score=lambda i: f"{i * 0.37:.2f}"))
    assert (mapping.task, mapping.label) == (Task.REGRESS, "score")
    mapping, _ = recognise(rows(text=prose, score=lambda i: i % 5 + 1))
    assert (mapping.task, mapping.label) == (Task.CLASSIFY, "score")


def test_spans_and_tags() -> None:
    span = {"start": 0, "end": 3, "label": "X"}
    mapping, _ = recognise(rows(text=prose, entities=lambda i: [span] if i % 2 else []))
    assert (mapping.task, mapping.spans) == (Task.TAG, "entities")
    tags = rows(tokens=lambda i: ["a", "b"], ner_tags=lambda i: ["O", "B-X"])
    mapping, _ = recognise(tags)
    assert (mapping.task, mapping.tokens, mapping.spans) == (Task.TAG, "tokens", "ner_tags")


def test_spans_beside_a_label_are_mentioned() -> None:
    sample = rows(text=prose, label=kind, spans=lambda i: [[0, 2, "X"]])
    mapping, said = recognise(sample)
    assert mapping.task is Task.CLASSIFY
    assert any("task: tag" in sentence for sentence in said)
    mapping, _ = recognise(sample, task=Task.TAG)
    assert (mapping.text, mapping.spans) == (("text",), "spans")


@pytest.mark.parametrize(
    ("prompt", "response"),
    [("prompt", "response"), ("instruction", "output"), ("question", "answer"),
     ("prompt", "completion"), ("input", "output")],
)  # fmt: skip
def test_pairs(prompt: str, response: str) -> None:
    mapping, _ = recognise(rows(**{prompt: prose, response: prose}))
    assert (mapping.task, mapping.prompt, mapping.response) == (Task.INSTRUCT, prompt, response)


def test_context_joins_the_prompt_and_is_said() -> None:
    mapping, said = recognise(rows(question=prose, context=prose, answer=prose))
    assert (mapping.prompt, mapping.context, mapping.response) == ("question", "context", "answer")
    assert any("'context', then 'question'" in sentence for sentence in said)
    mapping, _ = recognise(rows(instruction=prose, input=prose, output=prose))
    assert (mapping.prompt, mapping.input, mapping.response) == ("instruction", "input", "output")


def test_chat() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    mapping, _ = recognise(rows(messages=lambda i: turns, source="x"))
    assert (mapping.task, mapping.messages) == (Task.INSTRUCT, "messages")
    shared = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    mapping, _ = recognise(rows(conversations=lambda i: shared, id=lambda i: i))
    assert (mapping.task, mapping.messages, mapping.identity) == (
        Task.INSTRUCT,
        "conversations",
        "id",
    )


def test_preference() -> None:
    mapping, _ = recognise(rows(prompt=prose, chosen=prose, rejected=prose))
    assert (mapping.task, mapping.prompt) == (Task.PREFER, "prompt")
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    mapping, _ = recognise(rows(chosen=lambda i: turns, rejected=lambda i: turns))
    assert (mapping.task, mapping.prompt, mapping.messages) == (Task.PREFER, None, None)


def test_plain_text_is_for_adaptation() -> None:
    mapping, _ = recognise(rows(text=prose, file=lambda i: f"{i}.txt"))
    assert (mapping.task, mapping.text) == (Task.ADAPT, ("text",))


def test_repeating_ids_are_offered_as_groups_but_not_taken() -> None:
    mapping, said = recognise(rows(text=prose, label=kind, patient_id=lambda i: i // 4))
    assert mapping.group is None
    assert any("data.columns.group: patient_id" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"frage": prose, "antwort": prose}, r"could each be the text.*data\.columns\.text"),
        ({"text": prose, "farbe": kind, "form": kind}, r"could each be the label.*data\.columns"),
        ({"prompt": prose}, "only prompts"),
        ({"text": prose, "summary_of_it": prose}, "what to learn is not clear"),
        ({"a": lambda i: i, "b": lambda i: i * 2}, "no column looks like the text"),
    ],
)
def test_unclear_files_are_asked_about(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(FixData, match=message):
        recognise(rows(**columns))


def test_a_given_column_must_exist() -> None:
    with pytest.raises(FixData, match="Did you mean 'label'"):
        recognise(rows(text=prose, label=kind), given={"label": "lable"})
    with pytest.raises(FixRecipe, match="Did you mean 'label'"):
        recognise(rows(text=prose, label=kind), given={"labl": "label"})


REAL = {
    "banking77": (Task.CLASSIFY, {"text": ("text",), "label": "label"}),
    "clinc150": (Task.CLASSIFY, {"text": ("text",), "label": "label", "group": None}),
    "medical_abstracts": (Task.CLASSIFY, {"text": ("text",), "label": "label"}),
    "twitter_financial_sentiment": (Task.CLASSIFY, {"text": ("text",), "label": "label"}),
    "simple_safety_tests": (Task.CLASSIFY, {"label": "label"}),
    "snips": (Task.CLASSIFY, {"label": "label"}),
    "wnut17_ner": (Task.TAG, {"text": ("text",), "spans": "spans"}),
    "presidio_pii": (Task.TAG, {"text": ("text",), "spans": "spans"}),
    "e2e_nlg": (Task.INSTRUCT, {"prompt": "prompt", "response": "response", "context": None}),
    "pubmedqa": (Task.INSTRUCT, {"prompt": "prompt", "context": "context"}),
    "oasst_preferences": (Task.PREFER, {"prompt": "prompt", "chosen": "chosen"}),
    "wikitext2": (Task.ADAPT, {"text": ("text",)}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_recognised_and_fit(name: str, shared_data: Path) -> None:
    task, columns = REAL[name]
    source = open_source(str(shared_data / name / "test.jsonl"))
    mapping, said = recognise([row for _, row in islice(source.rows(), 300)])
    assert mapping.task is task
    assert {key: getattr(mapping, key) for key in columns} == columns
    assert said
    fitting = list(islice(canonical_rows(source, mapping), 1000))
    assert fitting
