"""Column names by what they usually hold, most telling first."""

from __future__ import annotations

import re

MESSAGES = ("messages", "conversations", "conversation", "chat", "turns", "dialogue", "dialog")
PROMPT = (
    "prompt", "instruction", "question", "query", "user", "user_message", "problem", "request",
)  # fmt: skip
RESPONSE = (
    "response", "output", "completion", "answer", "assistant", "assistant_message", "reply",
    "solution", "target_text",
)  # fmt: skip
CONTEXT = ("context", "passage", "background", "evidence")
EXTRA_INPUT = ("input", "inputs")
SYSTEM = ("system", "system_prompt", "system_message")
CHOSEN = ("chosen", "chosen_response", "response_chosen", "preferred")
REJECTED = ("rejected", "rejected_response", "response_rejected", "dispreferred")
SPANS = ("spans", "entities", "annotations", "ner", "span_labels", "labels", "label")
TOKENS = ("tokens", "words")
TAGS = ("ner_tags", "tags", "bio_tags", "bio", "ner", "labels", "label")
TEXT = (
    "text", "sentence", "message", "content", "body", "utterance", "review", "abstract",
    "comment", "tweet", "document", "description", "question", "query", "passage", "post",
    "email", "sms", "transcript", "note", "sentence1", "headline", "title", "prompt", "input",
)  # fmt: skip
HEADINGS = ("title", "subject", "headline")
LABEL = (
    "label_text", "label_name", "label", "labels", "category", "categories", "class", "classes",
    "intent", "sentiment", "target", "topic", "topics", "emotion", "tag", "tags", "genre",
    "genres", "diagnosis", "department", "priority", "outcome", "score", "rating", "stars", "y",
)  # fmt: skip
SAYS_LABEL = ("label", "class", "category", "intent")
"""Names that say enough in a file of few rows, whatever its values look like."""
FEW_ROWS = 200
GROUP = (
    "group", "client", "patient", "patient_id", "conversation_id", "dialog", "dialog_id",
    "dialogue_id", "thread_id", "user_id", "customer_id", "document_id", "doc_id", "doc",
    "session_id", "case_id", "author",
)  # fmt: skip
IDENTITY = ("id", "_id", "uid", "guid", "row_id", "idx", "index")
WEIGHT = ("weight", "sample_weight", "example_weight")
ASIDE = (
    *GROUP, *IDENTITY, *WEIGHT, "split", "source", "lang", "language", "date", "time", "timestamp",
    "created_at", "url", "link", "file", "filename", "name", "user", "user_name",
    "__index_level_0__",
)  # fmt: skip
"""Columns that describe a row and are never guessed to be its label."""

# fmt: off
KNOWN = frozenset(
    name
    for group in (
        MESSAGES, PROMPT, RESPONSE, CONTEXT, SYSTEM, CHOSEN, REJECTED, SPANS, TOKENS, TAGS, TEXT,
        LABEL, IDENTITY,
    )
    for name in group
)

# fmt: on


def plain(name: str) -> str:
    """A column name in the spelling of this list: `Ticket Text`, `ticketText` -> `ticket_text`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-./]+", "_", name).lower()


def find(names: tuple[str, ...], columns: list[str]) -> list[str]:
    """The columns called by one of `names`, or holding one as a word; most telling first."""
    exact = [c for n in names for c in columns if plain(c) == n]
    part = [c for n in names for c in columns if n in plain(c).split("_") and c not in exact]
    return list(dict.fromkeys([*exact, *part]))
