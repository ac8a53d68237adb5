"""`luthier tune`: search hyper-parameters, then run; and what the history knows."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.cli.answers import answer
from luthier.cli.settings import Settings
from luthier.cli.verb import verb
from luthier.cli.verbs.plan import Overrides, RecipePath
from luthier.core.errors import FixRecipe

Budget = Annotated[
    str | None, typer.Option("--budget", help="Such as 20min, '30 trials' or '5x one run'.")
]
Engine = Annotated[
    str | None, typer.Option("--executor", help="Where trials are trained: local or ray.")
]
Address = Annotated[
    str | None, typer.Option("--address", help="Of a running Ray cluster; else one is started.")
]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose history to show.")]


def add(app: typer.Typer) -> None:
    """Adds the verbs to `app`."""
    verb(app, "tune")(tune)


def tune(
    settings: Settings,
    recipe: RecipePath,
    overrides: Overrides = None,
    budget: Budget = None,
    executor: Engine = None,
    address: Address = None,
    tenant: Tenant = "",
) -> None:
    """Search hyper-parameters, then evaluate and report.

    `luthier tune history` shows what a search would learn from; `luthier tune export RUN
    sqlite:///study.db` writes a search for Optuna's dashboard.
    """
    if str(recipe) == "export" and not recipe.exists():
        export(settings, overrides or [])
        return
    if str(recipe) == "history" and not recipe.exists():
        show_history(settings, tenant)
        return
    from luthier.recipe.load import load_recipe

    given = list(overrides or [])
    given += [f"tune.budget={budget}"] if budget else []
    given += [f"tune.executor={executor}"] if executor else []
    given += [f"tune.address={address}"] if address else []
    with settings.listener() as listener:
        typed = load_recipe(recipe, given)
        listener.start("load the libraries")
        from luthier.stages import api

        result = api.tune(typed, recipe.resolve().parent, listener, settings.open_store())
    if settings.json:
        answer(result.as_dict())
        return
    from luthier.cli.views.result import show_result
    from luthier.cli.views.search import show_search

    if not settings.quiet:
        show_search(result.search or {})
    show_result(result, settings.quiet)


def show_history(settings: Settings, tenant: str) -> None:
    """Lists the tasks that a search of this tenant would learn from."""
    from luthier.cli.views.search import history_facts, show_known
    from luthier.search.history.past import History

    facts = history_facts(History.open(settings.open_store(), tenant))
    if settings.json:
        answer({"tasks": facts})
    else:
        show_known(facts)


def export(settings: Settings, given: list[str]) -> None:
    """Writes the search of a run into a storage of Optuna.

    Raises: FixRecipe unless a run and a storage are given, CheckRun, InstallExtra.
    """
    if len(given) != 2:
        raise FixRecipe(
            "luthier tune export",
            f"{len(given)} words follow: {given}",
            "a run and a storage",
            "luthier tune export RUN sqlite:///study.db",
        )
    from luthier.search.bridges.optuna import write_study
    from luthier.search.bridges.stored import stored_study

    run, url = given
    study = stored_study(settings.open_store(), run)
    name = write_study(study, url)
    if settings.json:
        answer({"study": name, "storage": url, "trials": len(study.trials)})
    elif not settings.quiet:
        typer.echo(f"{len(study.trials)} trials written to {url} as the study {name}")
