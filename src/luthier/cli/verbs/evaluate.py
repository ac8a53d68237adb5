"""`luthier eval`: the metrics of a tuned model on any labelled file."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "eval")(evaluate)


def evaluate(
    settings: Settings,
    run: RunName,
    data: Annotated[str, typer.Option("--data", metavar="FILE", help="A file of labelled rows.")],
) -> None:
    """Measure base and tuned model on a labelled file."""
    from pathlib import Path

    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        # The run's own folder is no place to look for the file: the caller's is.
        place = str(Path(data).resolve()) if Path(data).exists() else data
        measured = api.evaluate(run, place, settings.open_store(), listener)
    if settings.json:
        answer(measured)
        return
    from luthier.cli.views.result import show_measured

    show_measured(measured)
