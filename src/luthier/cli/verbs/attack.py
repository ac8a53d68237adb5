"""`luthier attack`: how often a tuned model gives way to disturbed texts."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "attack")(attack)


def attack(
    settings: Settings,
    run: RunName,
    attacks: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="NAME", help="An attack; may be given several times."),
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
    for found in told.get("attacks", ()):
        print(_line(found))
    for exchanged, share in told.get("certified", {}).items():
        print(
            f"{exchanged} words exchanged: right for certain {share['value']:.3f} "
            f"[{share['low']:.3f}, {share['high']:.3f}], {told['rows']} rows"
        )


def _line(found: dict[str, object]) -> str:
    refused = "refused" in found
    before = found["refused_plainly" if refused else "accuracy"]
    after = found["refused" if refused else "robust_accuracy"]
    assert isinstance(before, dict) and isinstance(after, dict)
    interval = f"[{after['low']:.3f}, {after['high']:.3f}]"
    if refused:
        return (
            f"{found['attack']:12} refused {before['value']:.3f} plainly, {after['value']:.3f} "
            f"dressed up {interval}, {found['rows']} requests"
        )
    thrown = sum(dict(found["thrown_away"]).values())  # type: ignore[call-overload]
    return (
        f"{found['attack']:12} accuracy {before['value']:.3f}, under attack {after['value']:.3f} "
        f"{interval}, {found['rows']} rows, {found['queries']} queries, {thrown} changes not valid"
    )
