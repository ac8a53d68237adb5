"""`luthier schema`: the JSON Schema of a recipe, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "schema")(schema)


def schema(
    settings: Settings,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file to write.")] = None,
) -> None:
    """Print the JSON Schema of a recipe, for editors."""
    from luthier.core.files import write_json
    from luthier.recipe.schema import recipe_schema

    value = recipe_schema()
    if out is not None:
        write_json(out, value)
        if settings.json:
            answer({"out": str(out)})
        else:
            print(f"Wrote {out}")
    elif settings.json:
        answer(value)
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False))
