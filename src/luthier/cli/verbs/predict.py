"""`luthier predict`: answers of a tuned model, for texts or for a file."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from luthier.cli.answers import answer, finite, shown
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.core.errors import FixData
from luthier.core.files import disk_errors, json_line
from luthier.core.types import Task


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "predict")(predict)


@dataclass(frozen=True)
class _Asked:
    texts: tuple[str, ...]
    data: str | None
    out: Path | None


def predict(
    settings: Settings,
    run: RunName,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; - reads lines of stdin.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="FILE", help="A file of rows.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where answers go.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Answer texts, or the rows of a file, with a tuned model."""
    asked = _Asked(tuple(texts or ()), data, out)
    _check(asked, force)
    began = time.monotonic()
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        store = settings.open_store()
        record = store.finished(run)
        rows = _rows(asked, Task(record.task))
        answers = api.predict(record.id, rows, store, listener)
        count = _deliver(answers, asked, settings)
    if asked.out is not None:
        facts = {"rows": count, "out": str(asked.out), "seconds": time.monotonic() - began}
        if settings.json:
            answer(facts)
        else:
            print(f"{count:,} answers in {asked.out}")


def _check(asked: _Asked, force: bool) -> None:
    if bool(asked.texts) == bool(asked.data):
        given = (
            "both a text and --data were given" if asked.texts else "nothing to answer was given"
        )
        raise FixData("luthier predict", given, 'either "text" or --data FILE')
    if asked.out is not None and asked.out.exists() and not force:
        raise FixData(
            str(asked.out), "the file exists already", advice="name another, or add --force"
        )


def _rows(asked: _Asked, task: Task) -> Iterator[dict[str, Any]]:
    if asked.data is not None:
        from luthier.data.source import open_source

        return (row for _, row in open_source(asked.data).rows())
    field = "prompt" if task in (Task.INSTRUCT, Task.PREFER) else "text"
    return ({field: text} for text in _lines(asked.texts))


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text == "-":
            yield from (line.rstrip("\n") for line in sys.stdin)
        else:
            yield text


def _deliver(answers: Iterator[dict[str, Any]], asked: _Asked, settings: Settings) -> int:
    """How many answers went to the file, or to standard output."""
    if asked.out is None:
        as_lines = settings.json or asked.data is not None
        return sum(_print(each, as_lines) for each in answers)
    count = 0
    with whole_file(asked.out) as file:
        for each in answers:
            file.write(json_line(finite(each)))
            count += 1
    return count


def _print(each: dict[str, Any], as_line: bool) -> int:
    if as_line:
        answer(each)
    elif "label" in each:
        score = f"  {shown(each['score'])}" if each.get("score") is not None else ""
        print(f"{each['label']}{score}", flush=True)
    elif "response" in each:
        print(each["response"], flush=True)
    else:
        answer(each)
    return 1


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file that appears at `path` when the block succeeds; else nothing is left.

    Raises: FreeDisk when the disk is full or cannot be written.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
