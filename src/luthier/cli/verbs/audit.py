"""`luthier audit`: what a finished run gives away about its rows, or says about people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.core.errors import FixRecipe


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
    bias: Annotated[
        bool, typer.Option("--bias", help="Look for differences between groups of people instead.")
    ] = False,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --bias: groups by this column.")
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --bias: your words and sentences.")
    ] = None,
    positive: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="With --bias: a label that flags; several allowed."),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --bias: sentence pairs, for models that write."),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --bias: questions on people, for the same models."),
    ] = None,
) -> None:
    """Attack a run's privacy, or look for bias: what is proved, what was demonstrated."""
    given: dict[str, Any] = {
        "column": column,
        "terms": terms,
        "pairs": pairs,
        "questions": questions,
        "positive": tuple(positive or ()),
    }
    named = [name for name, value in given.items() if value]
    if named and not bias:
        raise FixRecipe(f"--{named[0]}", "it is part of a bias audit", advice="add --bias")
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages import api

        store = settings.open_store()
        if bias:
            told = api.audit_bias(run, store, listener, **given)
        else:
            told = api.audit(run, store, listener, rows)
    if settings.json:
        answer(told)
    elif bias:
        from luthier.cli.bias.view import show_bias, show_next

        show_bias(told, settings.quiet)
        show_next(told, positive or ())
    else:
        from luthier.cli.views.audit import show_audit

        show_audit(told, settings.quiet)
