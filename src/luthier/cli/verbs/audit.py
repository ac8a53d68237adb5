"""`luthier audit`: what a finished run gives away about the rows it was trained on."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "audit")(audit)


def audit(
    settings: Settings,
    run: RunName,
    rows: Annotated[
        int,
        typer.Option("--rows", min=20, help="Look at so many rows trained on, and as many others."),
    ] = 5_000,
) -> None:
    """Attack a run's privacy: what is proved, what was demonstrated."""
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        told = api.audit(run, settings.open_store(), listener, rows)
    if settings.json:
        answer(told)
        return
    from luthier.cli.views.audit import show_audit

    show_audit(told, settings.quiet)
