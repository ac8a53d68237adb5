"""The data sets of the embedded model and how their rows become documents."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Messages = list[dict[str, Any]]

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "Answer the question clearly.",
    "You are a careful assistant. Answer briefly.",
    "Follow the instruction of the user.",
)


@dataclass(frozen=True)
class Document:
    """One training document: plain text, or chat messages with the tools they may call."""

    source: str
    group: str
    content: str | Messages
    tools: list[Row] | None = None


def detokenise(text: str) -> str:
    """Undo the spaces that word tokenisation put around punctuation."""
    text = re.sub(r"\s+([.,!?;:)\]%])", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", text)
    text = re.sub(r'" ([^"\n]*?) "', r'"\1"', text)
    return re.sub(r"\s+(n't|'s|'re|'ve|'ll|'m|'d)\b", r"\1", text)


def chat(name: str, group: str, user: str, answer: str, rng: random.Random) -> Document:
    """A single-turn chat, one third of the time opened by a system prompt."""
    messages: Messages = []
    if rng.random() < 0.33:
        messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
    messages.append({"role": "user", "content": user.strip()})
    messages.append({"role": "assistant", "content": answer.strip()})
    return Document(name, group, messages)


def split_turns(history: str, user: str, assistant: str) -> Messages:
    """Cut a dialogue written as ``user: ... assistant: ...`` into messages."""
    parts = re.split(rf"(?:^|\n+)({user}|{assistant}): ?", history)[1:]
    roles = {user: "user", assistant: "assistant"}
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": roles[role], "content": text.strip()} for role, text in pairs]


def build_medquad(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Consumer-health questions with their answers."""
    for row in rows:
        question = re.sub(r"\s+\?", "?", row["prompt"])
        yield chat("medquad", row["doc"], question, row["response"][:4000], rng)


def build_gsm8k(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Worked school arithmetic without the calculator marks."""
    for row in rows:
        answer = re.sub(r"<<[^>]*>>", "", row["response"])
        yield chat("gsm8k", row["prompt"], row["prompt"], answer, rng)


def build_self_instruct(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Human-written instructions with their outputs."""
    for row in rows:
        yield chat("self_instruct_seed", row["prompt"], row["prompt"], row["response"], rng)


def build_oasst(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Conversations, one document per reply with its history."""
    for row in rows:
        history = row["prompt"]
        if not history.startswith("Human: "):
            history = f"Human: {history}"
        messages = split_turns(history, "Human", "Assistant")
        messages.append({"role": "assistant", "content": row["response"]})
        yield Document("oasst_sample", row["group"], messages)


def build_taskmaster(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Coffee orders: the longest history of each dialogue."""
    longest: dict[str, Row] = {}
    for row in rows:
        known = longest.get(row["dialog"])
        if known is None or len(row["prompt"]) > len(known["prompt"]):
            longest[row["dialog"]] = row
    for dialog, row in longest.items():
        messages = split_turns(row["prompt"], "user", "assistant")
        messages.append({"role": "assistant", "content": row["response"]})
        yield Document("taskmaster4_coffee", dialog, messages)


def build_covid_qa(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Extractive questions over a passage of a paper."""
    for row in rows:
        user = f"{row['context']}\n\nQuestion: {row['prompt']}"
        yield chat("covid_qa", str(row["doc"]), user, row["response"], rng)


def build_evidence(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Trial passages with the effect of the intervention."""
    for row in rows:
        user = re.sub(r"\n{3,}", "\n\n", row["text"]) + "\n\nWhat is the effect?"
        yield chat("evidence_inference", row["group"], user, row["label"], rng)


def build_tatqa(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """One conversation per report page: the page, then all its questions."""
    pages: dict[str, list[Row]] = {}
    for row in rows:
        pages.setdefault(row["doc"], []).append(row)
    for page, questions in pages.items():
        messages: Messages = []
        for number, row in enumerate(questions):
            user = row["prompt"] if number else f"{row['context'][:2500]}\n\n{row['prompt']}"
            messages.append({"role": "user", "content": user})
            messages.append({"role": "assistant", "content": row["response"]})
        yield Document("tatqa", page, messages)


def build_contract_nli(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """A hypothesis about a contract excerpt and whether it follows."""
    for row in rows:
        user = row["text"] + "\n\nDoes the hypothesis follow from the contract?"
        yield chat("contract_nli", row["group"], user, row["label"], rng)


def build_mts_dialog(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Doctor and patient dialogues with the note written from them."""
    for row in rows:
        user = f"Write a clinical note of this conversation.\n\n{row['prompt']}"
        yield chat("mts_dialog", row["prompt"], user, row["response"], rng)


def build_aci_bench(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Long visit dialogues, then their notes, as two plain documents each."""
    for row in rows:
        yield Document("aci_bench", row["encounter"], detokenise(row["prompt"]))
        yield Document("aci_bench", row["encounter"], row["response"])


def build_movie_reviews(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Film reviews as plain text."""
    for row in rows:
        text = re.sub(r"\n", " ", row["text"])
        yield Document("movie_reviews", row["id"], detokenise(text))


def build_cuad(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Contract clauses as plain text, each wording once."""
    seen: set[str] = set()
    for row in rows:
        text = re.sub(r"\s+", " ", row["text"]).strip()
        if text not in seen:
            seen.add(text)
            yield Document("cuad_clauses", row["group"], text)


def build_tinyshakespeare(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Neighbouring speeches joined, sixteen to a document."""
    for start in range(0, len(rows), 16):
        text = "\n\n".join(row["text"] for row in rows[start : start + 16])
        yield Document("tinyshakespeare", str(start), text)


def build_shakespeare_roles(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Speeches of one role joined, eight to a document."""
    roles: dict[str, list[str]] = {}
    for row in rows:
        roles.setdefault(row["client"], []).append(row["text"])
    for role, speeches in roles.items():
        for start in range(0, len(speeches), 8):
            text = "\n\n".join(speeches[start : start + 8])
            yield Document("shakespeare_roles", f"{role}:{start}", text)


def build_sentfin(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Headlines with the sentiment towards one entity, each headline once."""
    seen: set[str] = set()
    for row in rows:
        if row["headline_id"] not in seen:
            seen.add(row["headline_id"])
            headline = row["text"].split(" [entity: ")[0]
            user = f"Headline: {headline}\nWhat is the sentiment towards {row['entity']}?"
            yield chat("sentfin", row["headline_id"], user, row["label"], rng)


def intent_builder(name: str) -> Callable[[list[Row], random.Random], Iterator[Document]]:
    """Builder for utterances whose intent has to be named."""

    def build(rows: list[Row], rng: random.Random) -> Iterator[Document]:
        for row in rows:
            user = f"Name the intent of this message: {row['text']}"
            answer = row["label"].replace("_", " ").rstrip("?").lower()
            yield chat(name, row["text"], user, answer, rng)

    return build


def build_snips(rows: list[Row], rng: random.Random) -> Iterator[Document]:
    """Requests answered by a tool call; half of them go on with the result of the tool."""
    slots: dict[str, set[str]] = {}
    for row in rows:
        slots.setdefault(row["label"], set()).update(kind for _, _, kind in row["spans"])
    for row in rows:
        others = sorted(set(slots) - {row["label"]})
        names = [row["label"], *rng.sample(others, rng.randint(0, 1))]
        rng.shuffle(names)
        arguments = {kind: row["text"][start:end] for start, end, kind in row["spans"]}
        tools = []
        for name in names:
            used = set(arguments) if name == row["label"] else set()
            spare = sorted(slots[name] - used)
            parameters = used | set(rng.sample(spare, min(2, len(spare))))
            tools.append({"name": name, "parameters": sorted(parameters)})
        call = {"function": {"name": row["label"], "arguments": arguments}}
        messages: Messages = [
            {"role": "user", "content": row["text"]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ]
        if rng.random() < 0.5:
            done = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", row["label"]).lower()
            messages.append({"role": "tool", "content": '{"status": "ok"}'})
            messages.append({"role": "assistant", "content": f"Done: {done}."})
        yield Document("snips", row["text"], messages, tools)
