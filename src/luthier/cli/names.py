"""Run names on the command line, with completion."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.settings import Settings
from luthier.core.home import default_home


def known_runs(incomplete: str) -> list[str]:
    """Ids of the default store that begin with `incomplete`; none when it can't be read."""
    from luthier.core.errors import LuthierError

    try:
        records = Settings(home=default_home()).open_store().list()
    except (LuthierError, OSError):
        return []
    return [record.id for record in records if record.id.startswith(incomplete)]


RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The id of a run, its beginning, or `last`.", autocompletion=known_runs
    ),
]
