"""`luthier plan`: what a run would do, without training."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[section.key=value]...", help="Keys of the recipe to replace."),
]


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "plan")(plan)


def plan(
    settings: Settings,
    recipe: RecipePath,
    overrides: Overrides = None,
    full: Annotated[bool, typer.Option("--full", help="Print the whole resolved recipe.")] = False,
) -> None:
    """Check data, recipe and machine, and tell what a run would do."""
    from luthier.recipe.load import load_recipe

    with settings.listener() as listener:
        typed = load_recipe(recipe, overrides or [])
        listener.start("load the libraries")
        from luthier.stages import api

        result = api.plan(typed, recipe.resolve().parent, listener, settings.home)
    if settings.json:
        answer(result.as_dict())
        return
    from luthier.cli.views.plan import show_plan

    show_plan(result, shlex.join([str(recipe), *(overrides or [])]), full, settings.quiet)
