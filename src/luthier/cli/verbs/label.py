"""`luthier label`: which row to label next, a person's answers, and what they bring."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.core.errors import FixData, ResumeLater

if TYPE_CHECKING:
    from luthier.stages.labelling.desk import Wishes
    from luthier.stages.labelling.opening import Session


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "label")(label)


def label(
    settings: Settings,
    target: Annotated[str, typer.Argument(metavar="RUN|RECIPE", help="For whom labels are given.")],
    pool: Annotated[str, typer.Option("--pool", metavar="FILE", help="The rows to label.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where labels go.")
    ] = Path("labels.jsonl"),
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy", metavar="NAME", help="mixed, random, coverage, margin, balanced or rare."
        ),
    ] = "mixed",
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Questions between two fits.")
    ] = None,
    aim: Annotated[
        float | None,
        typer.Option("--target", min=0.0, max=1.0, help="The accuracy to reach, such as 0.9."),
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option("--answers", metavar="FILE", help="A label a line, in order; - is stdin."),
    ] = None,
) -> None:
    """Label the rows of a pool that teach most, and see what more labels would bring.

    Keys give labels, u takes the last one back, s skips, q ends. Every answer is on disk before
    the next question: the same command goes on where it was left.
    """
    from luthier.stages.labelling.desk import Wishes

    _refuse_no_person(settings, answers)
    wishes = Wishes(strategy, batch, aim)
    session = _open(settings, target, pool, out, wishes)
    try:
        _ask(session, settings, answers)
    except KeyboardInterrupt:
        raise ResumeLater(
            str(out), "stopped by you; every answer is kept", advice="give the same command again"
        ) from None
    finally:
        session.write()
    _tell(session, settings)


def _open(settings: Settings, target: str, pool: str, out: Path, wishes: Wishes) -> Session:
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages.labelling.opening import open_session

        return open_session(target, pool, out, settings.open_store(), wishes, listener)


def _refuse_no_person(settings: Settings, answers: str | None) -> None:
    if answers is None and (settings.json or not sys.stdin.isatty()):
        raise FixData(
            "luthier label",
            "there is no terminal to ask in",
            "a terminal, or answers given beforehand",
            "add --answers FILE, or --answers - to read them from standard input",
        )


def _ask(session: Session, settings: Settings, answers: str | None) -> None:
    if answers is None:
        from luthier.cli.labelling.terminal import label_in_terminal

        label_in_terminal(session)
        return
    from luthier.cli.labelling.script import label_by_lines, lines_of

    if not settings.json:
        for note in session.notes:
            print(note)
    label_by_lines(session, lines_of(answers), answers, settings.json and answers == "-")


def _tell(session: Session, settings: Settings) -> None:
    if settings.json:
        facts: dict[str, Any] = session.desk.status().as_dict()
        answer(facts | {"out": str(session.out), "notes": list(session.notes)})
        return
    from luthier.cli.labelling.terminal import show_progress

    show_progress(session.desk)
    if session.out.exists():
        print(f"labels in {session.out}; give it as data.train of a recipe")
