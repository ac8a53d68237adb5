"""`luthier label`: which row to label next, a person's answers, and what they bring."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.cli.views.label import show_weak
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
    bring: Annotated[
        str | None,
        typer.Option("--import", metavar="FILE", help="Take labels over, from Label Studio too."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.json", help="Write tasks for Label Studio."),
    ] = None,
    together: Annotated[
        Path | None,
        typer.Option(
            "--together", metavar="FILE.jsonl", help="Also write data.train and labels as one file."
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="Let rules label the pool.")
    ] = None,
    teacher: Annotated[
        bool, typer.Option("--teacher", help="Let the run label what it is sure of.")
    ] = False,
    confidence: Annotated[
        float,
        typer.Option("--confidence", min=0.0, max=1.0, help="Needed by --rules and --teacher."),
    ] = 0.85,
) -> None:
    """Label the rows of a pool that teach most, and see what more labels would bring.

    Keys give labels, u takes the last one back, s skips, q ends. Every answer is on disk before
    the next question: the same command goes on where it was left.
    """
    from luthier.stages.labelling.desk import Wishes

    if rules is not None or teacher:
        if together is not None:
            weak = "rules and a teacher write a file of their own"
            raise FixData("--together", weak, "labels of people", "leave --together out")
        _label_weakly(settings, (target, pool, out, confidence), rules)
        return
    moves = bring is not None or export is not None
    if not moves:
        _refuse_no_person(settings, answers)
    if together is not None:
        from luthier.stages.labelling.writing import refuse_together

        refuse_together(together, out)
    session = _open(settings, target, pool, out, Wishes(strategy, batch, aim))
    try:
        if moves:
            session.notes += tuple(_move(session, bring, export))
        if answers is not None or not moves:
            _ask(session, settings, answers)
        elif not settings.json:
            print(*session.notes, sep="\n")
    except KeyboardInterrupt:
        raise ResumeLater(
            str(out), "stopped by you; every answer is kept", advice="give the same command again"
        ) from None
    finally:
        session.write()
    notes = _join(session, together)
    _tell(session, settings, notes)


def _open(settings: Settings, target: str, pool: str, out: Path, wishes: Wishes) -> Session:
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages.labelling.opening import open_session

        return open_session(target, pool, out, settings.open_store(), wishes, listener)


def _label_weakly(
    settings: Settings, asked: tuple[str, str, Path, float], rules: Path | None
) -> None:
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages.labelling.weak import Weak, by_rules, by_teacher

        store = settings.open_store()
        if rules is not None:
            found = by_rules(Weak(*asked), rules, store, listener)
        else:
            found = by_teacher(Weak(*asked), store, listener)
    if settings.json:
        answer(found)
    else:
        show_weak(found)


def _move(session: Session, bring: str | None, export: Path | None) -> list[str]:
    """What was taken over and written, in sentences."""
    from luthier.stages.labelling.label_studio import bring_labels, write_tasks

    said = []
    if bring is not None:
        said += bring_labels(session.desk, bring).notes()
    if export is not None:
        said.append(f"{write_tasks(session.desk, export)} tasks in {export}")
    return said


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


def _join(session: Session, together: Path | None) -> list[str]:
    """Where labels are, and how they stand beside those of the recipe."""
    if not session.out.exists():
        return []
    train, known = session.setting.recipe.data.train, len(session.setting.known)
    if together is not None:
        from luthier.stages.labelling.writing import write_together

        rows = write_together(
            together, session.setting, session.desk.pool, session.desk.book.sheet.given
        )
        return [f"{rows} rows of {train} and the labels in {together}; give it as data.train"]
    if known:
        return [
            f"labels in {session.out}; {train} holds other labelled rows: "
            "--together FILE.jsonl writes both as one file for data.train"
        ]
    return [f"labels in {session.out}; give it as data.train of a recipe"]


def _tell(session: Session, settings: Settings, notes: list[str]) -> None:
    if settings.json:
        facts: dict[str, Any] = session.desk.status().as_dict()
        answer(facts | {"out": str(session.out), "notes": [*session.notes, *notes]})
        return
    from luthier.cli.labelling.terminal import show_progress

    show_progress(session.desk)
    for note in notes:
        print(note)
