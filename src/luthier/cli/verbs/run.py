"""`luthier run`: from a recipe to a fine-tuned, measured, recorded model."""

from __future__ import annotations

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings, is_first_process
from luthier.cli.verb import verb
from luthier.cli.verbs.plan import Overrides, RecipePath


def add(app: typer.Typer) -> None:
    """Adds the verb to `app`."""
    verb(app, "run")(run)


def run(settings: Settings, recipe: RecipePath, overrides: Overrides = None) -> None:
    """Prepare, train, evaluate and report."""
    from luthier.recipe.load import load_recipe

    with settings.listener() as listener:
        typed = load_recipe(recipe, overrides or [])
        listener.start("load the libraries")
        from luthier.stages import api

        result = api.run(typed, recipe.resolve().parent, listener, settings.open_store())
    if not is_first_process():
        return
    if settings.json:
        answer(result.as_dict())
        return
    from luthier.cli.views.result import show_result

    show_result(result, settings.quiet)
