"""`luthier models`: models that come from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verbs to `app`."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Make models from elsewhere safe to load."
    )
    group.callback()(_group)
    verb(group, "convert")(convert)
    app.add_typer(group, name="models")


def _group() -> None:
    """Make models from elsewhere safe to load."""


def convert(
    settings: Settings,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A model folder, an archive of one, or a file.")
    ],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new folder.")],
) -> None:
    """Turn pickled weights into safetensors, in a child process that runs none of their code."""
    with settings.listener() as listener:
        listener.start("load the libraries")
        from luthier.stages.safety.loading.converting import convert_model

        found = convert_model(source, out, listener).as_dict()
    if settings.json:
        answer(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from luthier.cli.answers import show_table

    rows = [(pair["from"], pair["to"]) for pair in found["converted"]]
    show_table(f"Weights in {found['out']}", ("pickle", "safetensors"), rows)
    if found["copied"]:
        print(f"Copied: {', '.join(found['copied'])}")
    for name, why in found["left_out"].items():
        print(f"Left out: {name} ({why})")
