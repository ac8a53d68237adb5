"""`luthier repair`: less bias without worse answers, or the model as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "repair")(repair)


def repair(
    settings: Settings,
    run: RunName,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="pair, augment, reweigh, robust, erase or labels, several in turn; or, as "
            "controls, blind or none.",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(min=0.001, help="How much the change counts; else what suits its kind."),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The metric may surely not lose more.")
    ] = 0.02,
    positive: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="A label that flags; several allowed."),
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your words and sentences.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rows whose labels you put right, tried first."),
    ] = None,
) -> None:
    """Train against bias found; what passes the gate becomes a run of its own."""
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        told = api.repair(
            run, settings.open_store(), listener, kinds=tuple(kind or ()), strength=strength,
            margin=margin, positive=tuple(positive or ()), terms=terms,
            labels=labels,
        )  # fmt: skip
    if settings.json:
        answer(told)
        return
    from luthier.cli.bias.view import show_repair

    show_repair(told, settings.quiet)
