"""`luthier init`: from a data file to a recipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.core.errors import FixData
from luthier.core.types import Task

if TYPE_CHECKING:
    from luthier.stages.initialise import Look

_ASKED = {
    Task.CLASSIFY: ("text", "label"),
    Task.MULTILABEL: ("text", "label"),
    Task.REGRESS: ("text", "label"),
    Task.TAG: ("text", "spans"),
    Task.INSTRUCT: ("prompt", "response"),
    Task.ADAPT: ("text",),
    Task.PREFER: ("prompt", "chosen", "rejected"),
}


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "init")(initialise)


def initialise(
    settings: Settings,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A file, a folder, a hub id or starter:NAME.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The recipe to write.")] = Path(
        "recipe.yaml"
    ),
    task: Annotated[Task | None, typer.Option(help="The task; else guessed.")] = None,
    classes: Annotated[
        str, typer.Option(metavar="A,B", help="The classes of texts that have no labels.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take the guesses, ask nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing recipe.")] = False,
) -> None:
    """Look at a data file and write a recipe for it."""
    with settings.listener() as listener:
        listener.start("look at the data")
        from luthier.stages.initialise import (
            draft,
            look,
            look_for_classes,
            refuse_existing,
            write_recipe,
        )

        refuse_existing(out, force)
        asks = sys.stdin.isatty() and not (yes or classes or settings.json or settings.quiet)
        found = None
        if classes:
            names = tuple(name.strip() for name in classes.split(",") if name.strip())
            found = look_for_classes(data, names)
        elif not asks:
            found = look(data, task=task)
    if found is None:
        found = _asked(data, task)
    text = draft(found, out)
    write_recipe(text, out, force)
    if settings.json:
        mapping = found.mapping.as_dict()
        columns = {key: value for key, value in mapping.items() if key != "task"}
        answer(
            {
                "recipe": str(out),
                "task": found.mapping.task.value,
                "columns": columns,
                "seen": list(found.sentences),
            }
        )
        return
    if not settings.quiet:
        if not asks:
            print("\n".join(found.sentences))
        print(f"Next: luthier plan {out}, then luthier run {out}")
    print(f"Wrote {out}")


def _asked(data: str, task: Task | None) -> Look:
    """The look after the questions; a column that can't be guessed is asked for at once."""
    from luthier.stages.initialise import columns_of, look

    columns = columns_of(data)
    found: Look | None = None
    try:
        found = look(data, task=task)
        _tell(found.sentences)
        guess = found.mapping.task
    except FixData as unclear:
        _tell([str(unclear)])
        guess = task or Task.CLASSIFY
    chosen = Task(_choose("Task", [t.value for t in Task], guess.value))
    if found is None or chosen is not found.mapping.task:
        found = _try(data, chosen)
    given = {}
    for key in _ASKED[chosen]:
        known = _known(found, key)
        if found is not None and known is None:
            continue
        picked = _choose(f"Column of the {key}", columns, known or "")
        if picked != known:
            given[key] = picked
    again = look(data, task=chosen, given=given)
    _tell(s for s in again.sentences if found is None or s not in found.sentences)
    return again


def _try(data: str, task: Task) -> Look | None:
    from luthier.stages.initialise import look

    try:
        return look(data, task=task)
    except FixData:
        return None


def _known(found: Look | None, key: str) -> str | None:
    if found is None:
        return None
    value = getattr(found.mapping, key)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else None
    return value if isinstance(value, str) else None


def _choose(question: str, options: Sequence[str], guess: str) -> str:
    while True:
        shown = ", ".join(options)
        picked = typer.prompt(f"{question} ({shown})", default=guess or None, err=True)
        if picked in options:
            return str(picked)
        print(f"{picked!r} is none of them.", file=sys.stderr)


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
