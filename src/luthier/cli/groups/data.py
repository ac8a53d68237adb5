"""`luthier data`: looking at data files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.core.errors import FixData


def add(app: typer.Typer) -> None:
    """Adds the verbs to `app`."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at data files.")
    verb(group, "screen")(screen)
    app.add_typer(group, name="data")


def screen(
    settings: Settings,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of rows.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.jsonl", help="Where redacted rows go."),
    ] = None,
    style: Annotated[
        Literal["placeholder", "lifelike"], typer.Option(help="What stands in place of findings.")
    ] = "placeholder",
    seed: Annotated[int, typer.Option(help="Another seed gives other surrogates.")] = 0,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="No learned filters: faster, finds no names.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Find personal data, secrets and harmful text in a file; never prints what was found."""
    if out is not None and out.exists() and not force:
        raise FixData(str(out), "the file exists already", advice="name another, or add --force")
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages.safety.filtering.files import Asked, screen_file

        found = screen_file(Asked(file, out, style, seed, rules_only), listener)
    if settings.json:
        answer(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from luthier.cli.answers import show_table

    rows = [
        (k["kind"], k["group"], k["rows"], k["spans"], ", ".join(map(str, k["first_rows"][:8])))
        for k in found["kinds"]
    ]
    title = f"{found['touched']:,} of {found['rows']:,} rows hold something"
    show_table(title, ("kind", "group", "rows", "findings", "first rows"), rows)
    if found["note"]:
        print(found["note"])
    if found["out"]:
        print(f"Redacted rows in {found['out']}")
