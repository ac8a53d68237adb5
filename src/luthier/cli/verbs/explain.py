"""`luthier explain`: why a tuned model answers as it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.cli.views.change import show_change
from luthier.cli.views.explained import show_explained
from luthier.cli.views.rows import show_mislabelled
from luthier.core.errors import FixData


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "explain")(explain)


def explain(
    settings: Settings,
    run: RunName,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="TEXT", help="A text; may be given several times."),
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="FILE", help="A file of rows.")] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Test rows that were answered wrongly.")
    ] = False,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many rows: 20, or 200 with --before-after."),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="A method; auto takes the one measured best.")
    ] = "auto",
    label: Annotated[
        str | None, typer.Option("--class", metavar="LABEL", help="Explain this class instead.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Explain why not this class, instead of any other."),
    ] = None,
    level: Annotated[str, typer.Option(help="customer, analyst or engineer.")] = "analyst",
    attention: Annotated[
        bool, typer.Option("--attention", help="Show attention too; it explains nothing.")
    ] = False,
    learned_from: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show N training rows for and against.")
    ] = 0,
    by: Annotated[
        str, typer.Option(metavar="NAME", help="Score rows by cosine, datainf or embedding.")
    ] = "cosine",
    verify: Annotated[
        bool, typer.Option("--verify", help="Train again without those rows, and without others.")
    ] = False,
    mislabelled: Annotated[
        bool, typer.Option("--mislabelled", help="List training rows with doubtful labels.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where that list goes.")
    ] = None,
    before_after: Annotated[
        bool,
        typer.Option(
            "--before-after", help="What fine-tuning changed, on rows held out or of --data."
        ),
    ] = False,
) -> None:
    """Say which words and training rows moved an answer, and what was tried to be sure."""
    if before_after:
        named = {
            "--text": texts, "--errors": errors, "--class": label, "--against": against,
            "--attention": attention, "--learned-from": learned_from, "--verify": verify,
            "--mislabelled": mislabelled, "--out": out,
        }  # fmt: skip
        _compare(settings, run, data, rows or 200, method, [n for n, v in named.items() if v])
        return
    given = [bool(texts), data is not None, errors, mislabelled]
    if sum(given) != 1:
        raise FixData(
            "luthier explain", f"{sum(given)} of them were given",
            "one of --text TEXT, --data FILE, --errors, --mislabelled, --before-after",
        )  # fmt: skip
    if mislabelled:
        _list_mislabelled(settings, run, rows or 20, out)
        return
    if verify and not learned_from:
        raise FixData("--verify", "no training rows were asked for", "--learned-from N, such as 5")
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        told = api.explain(
            run,
            settings.open_store(),
            listener,
            texts=texts or (),
            data=data,
            errors=errors,
            rows=rows or 20,
            method=method,
            label=label,
            against=against,
            level=level,
            attention=attention,
            learned_from=learned_from,
            by=by,
            verify=verify,
        )
    if settings.json:
        answer(told)
        return
    show_explained(told)


def _list_mislabelled(settings: Settings, run: str, rows: int, out: Path | None) -> None:
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        told = api.mislabelled(run, settings.open_store(), listener, rows=rows, out=out)
    if settings.json:
        answer(told)
        return
    show_mislabelled(told)


def _compare(
    settings: Settings, run: str, data: str | None, rows: int, method: str, others: list[str]
) -> None:
    if others:
        raise FixData("--before-after", f"{others[0]} was given too", "--data, --rows and --method")
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        store = settings.open_store()
        told = api.before_after(run, store, listener, data=data, rows=rows, method=method)
    if settings.json:
        answer(told)
        return
    show_change(told, settings.quiet)
