"""Finds the column for each field: given, by its name, or by what it holds."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import FixData
from luthier.data.mappings import names
from luthier.data.mappings.profile import Column


class Finder:
    """The columns of a sample, what the user fixed, and the sentences said so far."""

    def __init__(self, profiles: dict[str, Column], given: dict[str, Any]) -> None:
        self.profiles, self.given = profiles, given
        self.columns = list(profiles)
        self.sentences: list[str] = []
        self.why = ""

    def say(self, sentence: str) -> None:
        """Adds a sentence, once."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def named(self, wanted: tuple[str, ...]) -> list[str]:
        """Filled columns called by one of the names, most telling first."""
        return [c for c in names.find(wanted, self.columns) if self.profiles[c].filled]

    def one(self, field: str, wanted: tuple[str, ...]) -> str | None:
        """The given column of a field, else the one whose whole name is in the list."""
        if field in self.given:
            return str(self.given[field])
        exact = [c for c in self.named(wanted) if names.plain(c) in wanted]
        taken = set(map(str, self.given.values()))
        return next((c for c in exact if c not in taken), None)

    def needed(self, field: str, column: str | None) -> str:
        """The column of a field the task cannot do without.

        Raises: FixData with the columns and the key to set.
        """
        if column is None:
            raise self.unclear(f"no column looks like the {field}", field)
        return column

    def unclear(self, met: str, *fields: str) -> FixData:
        """The error when a guess would be a gamble."""
        keys = ", ".join(f"data.columns.{field}" for field in fields)
        return FixData("data", met, f"Columns: {', '.join(self.columns)}", f"set {keys}")

    def reason(self, field: str, column: str) -> str:
        """Why this column: ` (as given)`, ` (by its name)` or ` (by its values)`."""
        if field in self.given:
            return " (as given)"
        lists = {"text": names.TEXT, "label": names.LABEL, "spans": names.SPANS}
        return " (by its name)" if column in names.find(lists[field], [column]) else (
            " (by its values)"
        )  # fmt: skip

    def repeats(self, column: str) -> bool:
        """Whether a value stands in several rows."""
        counts = self.profiles[column].counts
        return 1 < len(counts) < sum(counts.values())

    def messages(self) -> str | None:
        """The column of conversations."""
        if "messages" in self.given:
            return str(self.given["messages"])
        if "prompt" in self.given or "response" in self.given:
            return None
        answers = {*self.named(names.CHOSEN), *self.named(names.REJECTED)}
        found = [c for c in self.columns if self.profiles[c].messages and c not in answers]
        usual = [c for c in self.named((*names.MESSAGES, "prompt")) if c in found]
        if len(found) > 1 and not usual:
            raise self.unclear(f"{', '.join(found)} all hold conversations", "messages")
        return next(iter([*usual, *found]), None)

    def prompt(self) -> str | None:
        """The column of what the user says."""
        return self.one("prompt", names.PROMPT) or self._input_as_prompt()

    def _input_as_prompt(self) -> str | None:
        """`input` is the prompt when there is no other; see `output` beside it."""
        found = self.one("input", names.EXTRA_INPUT)
        return found if found and self.response() else None

    def response(self) -> str | None:
        """The column of what the model should say."""
        column = self.one("response", names.RESPONSE)
        return column if column and self.profiles[column].strings else None

    def spans(self) -> str | None:
        """The column of marked parts."""
        if "spans" in self.given:
            column = str(self.given["spans"])
            return None if self.tokens() and not self.profiles[column].spans else column
        found = [c for c in self.columns if self.profiles[c].spans]
        usual = [c for c in self.named(names.SPANS) if c in found]
        if len(found) > 1 and not usual:
            raise self.unclear(f"{', '.join(found)} all hold spans", "spans")
        return next(iter([*usual, *found]), None)

    def tokens(self) -> tuple[str, str] | None:
        """The columns of tokens and of their tags."""
        tokens = [c for c in self.named(names.TOKENS) if self.profiles[c].tags]
        wanted = str(self.given["spans"]) if "spans" in self.given else None
        tags = [c for c in self.named(names.TAGS) if self.profiles[c].tags and c not in tokens]
        tags = [wanted] if wanted and self.profiles[wanted].tags else tags
        return (tokens[0], tags[0]) if tokens and tags else None

    def label(self) -> str | None:
        """The column of classes or numbers; None when no column could be one.

        Raises: FixData when several unnamed columns could be it.
        """
        if "label" in self.given:
            return str(self.given["label"])
        text = self.given.get("text") or ()
        taken = {text} if isinstance(text, str) else set(text)
        spans = self.spans()
        usable = [c for c in self.columns if c not in taken and c != spans and self._labels(c)]
        usual = [c for c in self.named(names.LABEL) if c in usable]
        if usual:
            return usual[0]
        told = [c for c in self.columns if c not in taken and c != spans and self._says_label(c)]
        if told:
            return told[0]
        aside = set(names.find(names.ASIDE, self.columns)) | set(self._named_texts())
        free = [c for c in usable if c not in aside and self.profiles[c].labels]
        if len(free) > 1:
            raise self.unclear(f"{', '.join(free)} could each be the label", "label")
        return next(iter(free), None)

    def _labels(self, name: str) -> bool:
        column = self.profiles[name]
        if column.lists:
            return column.tags and name in self.named(names.LABEL)
        return column.labels or column.measured or bool(column.divider())

    def _says_label(self, name: str) -> bool:
        """Whether a column of few rows is called a label: each class may have one row then."""
        column = self.profiles[name]
        few = len(column.filled) <= names.FEW_ROWS
        return (
            few and names.plain(name) in names.SAYS_LABEL and column.strings and column.words <= 8
        )

    def _named_texts(self) -> list[str]:
        return [c for c in self.columns if names.plain(c) in names.TEXT]

    def text(self, label: str | None = None) -> tuple[str, ...]:
        """The columns of the input text.

        Raises: FixData when none or several unnamed ones could be it.
        """
        if "text" in self.given:
            given = self.given["text"]
            return (given,) if isinstance(given, str) else tuple(given)
        long = [c for c in self.columns if c != label and self.profiles[c].strings]
        usual = [c for c in self.named(names.TEXT) if c in long and self._wordy(c)]
        if usual and names.plain(usual[0]) in names.TEXT:
            self._refuse_second(label, usual[0])
            return self._with_heading(usual[0], long)
        aside = set(names.find(names.ASIDE, self.columns)) - set(usual)
        free = usual[:1] or [c for c in long if c not in aside and self._wordy(c)]
        if len(free) > 1:
            free = self._longest(free)
        return (self.needed("text", next(iter(free), None)),)

    def told_text(self, label: str | None) -> tuple[str, ...]:
        """`text`, with a sentence about it."""
        columns = self.text(label)
        shown = ", then ".join(repr(column) for column in columns)
        words = sum(self.profiles[column].words for column in columns)
        self.say(
            f"Text: column {shown}{self.reason('text', columns[-1])}, {words:.0f} words on average."
        )
        return columns

    def _wordy(self, name: str) -> bool:
        column = self.profiles[name]
        return column.numbers is None and (
            column.words >= 2 or names.plain(name) in names.TEXT or column.characters > 12
        )

    def _with_heading(self, body: str, long: list[str]) -> tuple[str, ...]:
        heads = [c for c in long if names.plain(c) in names.HEADINGS and c != body]
        return (heads[0], body) if heads else (body,)

    def _longest(self, free: list[str]) -> list[str]:
        ranked = sorted(free, key=lambda c: -self.profiles[c].characters)
        first, second = (self.profiles[c].characters for c in ranked[:2])
        if second > 0.5 * first:
            raise self.unclear(f"{', '.join(ranked)} could each be the text", "text", "label")
        return ranked[:1]

    def _refuse_second(self, label: str | None, text: str) -> None:
        """Text beside other long text and no label could be half of a pair."""
        if label is not None:
            return
        aside = {*names.find(names.ASIDE, self.columns), *self._named_texts()}
        other = [
            c for c in self.columns if c != text and c not in aside and self.profiles[c].words >= 4
        ]
        if other and "spans" not in self.given and not self.spans():
            raise self.unclear(
                f"{text!r} and {other[0]!r} both hold text, and what to learn is not clear",
                "text", "label", "response",
            )  # fmt: skip
