"""Guessing the task and the columns of a file from a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from luthier.core.errors import FixData, FixRecipe, nearest
from luthier.core.types import Task
from luthier.data.mappings import names
from luthier.data.mappings.columns import Mapping
from luthier.data.mappings.finder import Finder
from luthier.data.mappings.profile import profile

_FIELDS = frozenset(Mapping.__dataclass_fields__) - {"task"}
_AS_GIVEN = ("group", "weight", "separator", "divider")
Found = dict[str, Any]


def recognise(
    sample: Sequence[dict[str, Any]],
    task: Task | None = None,
    given: dict[str, Any] | None = None,
) -> tuple[Mapping, list[str]]:
    """The mapping of a file, and sentences that say what was seen and why.

    `sample` are some hundred rows; `given` are columns the user fixed (`text`, `label`, ...),
    which win over guesses.

    Raises: FixData when nothing fits or several columns fit alike, with the keys to set;
    FixRecipe for a given column the file does not have.
    """
    if not sample:
        raise FixData("data", "there are no rows to look at", advice="give a file with rows")
    finder = Finder(profile(sample), _checked(given or {}, sample))
    finder.say(f"{len(sample)} rows looked at; columns: {', '.join(finder.columns)}.")
    asked = task is not None
    task = task or guess_task(finder)
    finder.say(f"Task {task.value}: {'as asked' if asked else finder.why}.")
    found = _BUILDERS[task](finder)
    found |= {key: finder.given[key] for key in _AS_GIVEN if key in finder.given}
    identity = finder.one("identity", names.IDENTITY)
    found |= {"identity": identity} if identity else {}
    mapping = Mapping(task=task, **found)
    _say_unused(finder, mapping)
    return mapping, finder.sentences


def _checked(given: Found, sample: Sequence[dict[str, Any]]) -> Found:
    """The given columns, each known to the file."""
    columns = list(dict.fromkeys(name for row in sample for name in row))
    checked = {key: value for key, value in given.items() if value not in (None, (), [])}
    for key, value in checked.items():
        if key not in _FIELDS:
            near = nearest(key, _FIELDS)
            raise FixRecipe(
                f"data.columns.{key}",
                "there is no such field",
                f"Allowed: {', '.join(sorted(_FIELDS))}",
                f"Did you mean {near!r}?" if near else "",
            )
        if key in ("separator", "divider"):
            continue
        for name in [value] if isinstance(value, str) else value:
            if name not in columns:
                near = nearest(name, columns)
                raise FixData(
                    f"data.columns.{key}",
                    f"the file has no column {name!r}",
                    f"Columns: {', '.join(columns)}",
                    f"Did you mean {near!r}?" if near else "",
                )
    return checked


def guess_task(finder: Finder) -> Task:
    """The task the columns speak for; `finder.why` is set to the reason.

    Raises: FixData when they speak for none.
    """
    for task, reason in _SIGNS:
        why = reason(finder)
        if why:
            finder.why = why
            return task
    label = finder.label()
    if label is None:
        _refuse_prompts(finder)
        finder.why = "there is text and no label column"
        return Task.ADAPT
    if finder.spans():
        finder.say("There are spans as well; set task: tag to learn those instead.")
    column = finder.profiles[label]
    if column.lists or column.divider():
        finder.why = f"a cell of {label!r} holds several labels"
        return Task.MULTILABEL
    if column.measured:
        finder.why = f"{label!r} holds numbers, {len(column.counts)} different ones"
        return Task.REGRESS
    finder.why = f"{label!r} holds labels, {len(column.counts)} different ones among these rows"
    return Task.CLASSIFY


def _chat(finder: Finder) -> str:
    column = finder.messages()
    return f"the column {column!r} holds conversations" if column else ""


def _preference(finder: Finder) -> str:
    chosen, rejected = finder.one("chosen", names.CHOSEN), finder.one("rejected", names.REJECTED)
    return f"there are answers {chosen!r} and {rejected!r}" if chosen and rejected else ""


def _pair(finder: Finder) -> str:
    if finder.given.get("label") or finder.given.get("text"):
        return ""
    prompt, response = finder.prompt(), finder.response()
    return (
        f"there is a prompt {prompt!r} and a response {response!r}" if prompt and response else ""
    )


def _marked(finder: Finder) -> str:
    if "spans" in finder.given:
        return f"spans are named: {finder.given['spans']!r}"
    if "label" in finder.given:
        return ""
    spans, tokens = finder.spans(), finder.tokens()
    if tokens and not spans:
        return f"{tokens[0]!r} holds tokens and {tokens[1]!r} their tags"
    labelled = [c for c in finder.named(names.LABEL) if finder.profiles[c].labels and c != spans]
    return f"the column {spans!r} marks parts of the text" if spans and not labelled else ""


_SIGNS: tuple[tuple[Task, Callable[[Finder], str]], ...] = (
    (Task.PREFER, _preference),
    (Task.INSTRUCT, _chat),
    (Task.INSTRUCT, _pair),
    (Task.TAG, _marked),
)


def _refuse_prompts(finder: Finder) -> None:
    text = finder.text()
    if len(text) == 1 and names.plain(text[0]) in names.PROMPT and "text" not in finder.given:
        raise FixData(
            f"the column {text[0]!r}",
            "there are only prompts, no responses and no labels",
            "Allowed: a response column, a label column, or plain text in a column named text",
            "name the column with data.columns.response or data.columns.label, "
            "or set task: adapt to learn the text itself",
        )


def _labelled(finder: Finder) -> Found:
    label = finder.needed("label", finder.label())
    divider = finder.given.get("divider") or finder.profiles[label].divider()
    finder.say(f"Label: column {label!r}{finder.reason('label', label)}.")
    found: Found = {"text": finder.told_text(label), "label": label}
    return found | ({"divider": divider} if divider else {})


def _single(finder: Finder) -> Found:
    return {k: v for k, v in _labelled(finder).items() if k != "divider"}


def _tag(finder: Finder) -> Found:
    spans, tokens = finder.spans(), finder.tokens()
    if tokens and not spans:
        finder.say(f"Spans: from the tokens in {tokens[0]!r} and the tags in {tokens[1]!r}.")
        return {"tokens": tokens[0], "spans": tokens[1]}
    column = finder.needed("spans", spans)
    finder.say(f"Spans: column {column!r}{finder.reason('spans', column)}.")
    return {"text": finder.told_text(column), "spans": column}


def _instruct(finder: Finder) -> Found:
    chat = finder.messages()
    if chat:
        finder.say(f"Messages: column {chat!r}; the last turn is the answer to learn.")
        return {"messages": chat} | _system(finder)
    response = finder.needed("response", finder.response())
    found = _prompt(finder) | {"response": response} | _system(finder)
    finder.say(f"Response: column {response!r}.")
    return found


def _prompt(finder: Finder) -> Found:
    prompt = finder.needed("prompt", finder.prompt())
    found: Found = {"prompt": prompt}
    context = finder.one("context", names.CONTEXT)
    extra = finder.one("input", names.EXTRA_INPUT)
    order = [f"{prompt!r}"]
    if context and context != prompt:
        found["context"] = context
        order.insert(0, f"{context!r}")
    if extra and extra not in (prompt, context):
        found["input"] = extra
        order.append(f"{extra!r}")
    joined = ", then ".join(order)
    finder.say(f"Prompt: column {joined}{', joined into one user turn' if order[1:] else ''}.")
    return found


def _prefer(finder: Finder) -> Found:
    chosen = finder.needed("chosen", finder.one("chosen", names.CHOSEN))
    rejected = finder.needed("rejected", finder.one("rejected", names.REJECTED))
    found: Found = {"chosen": chosen, "rejected": rejected} | _system(finder)
    finder.say(f"Answers: {chosen!r} is preferred to {rejected!r}.")
    chat = finder.messages()
    if chat:
        return found | {"messages": chat}
    if finder.prompt():
        return found | _prompt(finder)
    finder.say("Prompt: the messages that both answers share.")
    return found


def _adapt(finder: Finder) -> Found:
    return {"text": finder.told_text(None)}


def _system(finder: Finder) -> Found:
    column = finder.one("system", names.SYSTEM)
    return {"system": column} if column else {}


_BUILDERS: dict[Task, Callable[[Finder], Found]] = {
    Task.CLASSIFY: _single,
    Task.MULTILABEL: _labelled,
    Task.REGRESS: _single,
    Task.TAG: _tag,
    Task.INSTRUCT: _instruct,
    Task.ADAPT: _adapt,
    Task.PREFER: _prefer,
}


def _say_unused(finder: Finder, mapping: Mapping) -> None:
    used: set[str] = set(mapping.text)
    used |= {v for k, v in mapping.as_dict().items() if isinstance(v, str) and k != "task"}
    unused = [column for column in finder.columns if column not in used]
    if unused:
        finder.say(f"Not used: {', '.join(unused)}.")
    groups = [c for c in finder.named(names.GROUP) if c in unused and finder.repeats(c)]
    if groups and not mapping.group:
        finder.say(
            f"Values of {groups[0]!r} repeat; if rows with the same value belong together, set "
            f"data.columns.group: {groups[0]} so that no split tears them apart."
        )
