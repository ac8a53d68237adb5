"""`luthier attack`: how often a tuned model gives way to disturbed texts."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb

_ATTACKS = (
    "An attack; may be given several times. For models that classify: words, typos, invisible, "
    "lookalikes (these four where none is named), hotflip, ball, trigger. For models that write: "
    "base64, rot13, leetspeak, role-play, suppression, document, history (all where none is named)."
)


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "attack")(attack)


def attack(
    settings: Settings,
    run: RunName,
    attacks: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="NAME", help=_ATTACKS),
    ] = None,
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="Queries that may be spent on one text.")
    ] = 100,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Attack at most so many rows.")] = 100,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Labelled rows to attack.")
    ] = None,
    certify: Annotated[
        int | None,
        typer.Option(
            "--certify",
            metavar="N",
            min=20,
            help="Attack nothing; certify answers by a vote over N masked copies of each text.",
        ),
    ] = None,
) -> None:
    """Attack a tuned model and say how often it gives way."""
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        store = settings.open_store()
        if certify is not None:
            told = api.certify(run, store, listener, draws=certify, rows=rows, data=data)
        else:
            told = api.attack(
                run, store, listener, attacks=attacks, queries=queries, rows=rows, data=data
            )
    if settings.json:
        answer(told)
        return
    from luthier.cli.views.attack import show_attacks, show_certificate

    if certify is not None:
        show_certificate(told)
    else:
        show_attacks(told, settings.quiet)
