"""`luthier doctor`: what works on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "doctor")(doctor)


def doctor(
    settings: Settings,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again what was kept from earlier.")
    ] = False,
) -> None:
    """Test what works on this machine, in child processes."""
    with settings.listener() as listener:
        listener.start("examine")
        from luthier.stages.doctor import examine, verdict

        checks = examine(settings.home, settings.store_url, listener, fresh)
    if settings.json:
        facts = {"ok": verdict(checks) == 0, "checks": [check.as_dict() for check in checks]}
        answer(facts)
    else:
        from luthier.cli.views.doctor import show_checks

        show_checks(checks, settings.quiet)
    raise typer.Exit(verdict(checks))
