"""`luthier runs`: the history of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from luthier.cli.answers import answer
from luthier.cli.names import RunName
from luthier.cli.settings import Settings, is_first_process
from luthier.cli.verb import verb
from luthier.core.errors import CheckRun


def add(app: typer.Typer) -> None:
    """Adds the verbs to `app`."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The history of runs.")
    for name, function in (
        ("list", list_runs),
        ("show", show_run),
        ("compare", compare_runs),
        ("resume", resume_run),
        ("merge", merge_run),
        ("delete", delete_run),
        ("tidy", tidy_runs),
        ("budget", show_budget),
    ):
        verb(group, name)(function)
    app.add_typer(group, name="runs")


def list_runs(settings: Settings) -> None:
    """List every run, the newest first."""
    records = settings.open_store().list()
    if settings.json:
        from luthier.cli.views.runs import brief_facts

        answer({"runs": [brief_facts(record) for record in records]})
    elif settings.quiet:
        for record in records:
            print(record.id)
    else:
        from luthier.cli.views.runs import show_list

        show_list(records)


def show_run(settings: Settings, run: RunName) -> None:
    """Show one run: state, metrics, recipe and where it lies."""
    from luthier.cli.views.runs import full_facts, show_one

    store = settings.open_store()
    facts = full_facts(store.find(run))
    if settings.json:
        answer(facts)
    else:
        show_one(facts)


def compare_runs(
    settings: Settings,
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN [RUN]...", help="Two or more ids.")],
) -> None:
    """Compare runs: metrics side by side, and the recipe keys that differ."""
    from luthier.cli.views.runs import comparison, full_facts, show_comparison

    if len(runs) < 2:
        raise CheckRun("luthier runs compare", "one run was given", "two or more")
    store = settings.open_store()
    compared = comparison([full_facts(store.find(run)) for run in runs])
    if settings.json:
        answer(compared)
    else:
        show_comparison(compared)


def resume_run(settings: Settings, run: RunName) -> None:
    """Go on with a run that was interrupted."""
    with settings.listener() as listener:
        store = settings.open_store()
        record = store.find(run)
        listener.start("load the libraries")
        from luthier.stages import api

        result = api.resume(record.id, store, listener)
    if not is_first_process():
        return
    if settings.json:
        answer(result.as_dict())
        return
    from luthier.cli.views.result import show_result

    show_result(result, settings.quiet)


def merge_run(
    settings: Settings,
    run: RunName,
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder to be made.")],
) -> None:
    """Write base and adapter as one model that transformers opens."""
    with settings.listener() as listener:
        record = settings.open_store().find(run)
        listener.start("load the libraries")
        from luthier.stages.parts.merging import merge

        folder = merge(record.path, out, listener)
    if settings.json:
        answer({"run": record.id, "path": str(folder)})
    else:
        print(folder)


def delete_run(
    settings: Settings,
    run: RunName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run with everything in its folder."""
    store = settings.open_store()
    record = store.find(run)
    if not yes:
        if settings.json:
            raise CheckRun(record.id, "nothing was deleted", advice="add --yes")
        typer.confirm(f"Delete {record.id} ({record.name}) and its folder?", abort=True, err=True)
    store.delete(record.id)
    facts: dict[str, Any] = {"deleted": record.id}
    if settings.json:
        answer(facts)
    else:
        print(f"Deleted {record.id}")


def tidy_runs(
    settings: Settings,
    keep_mb: Annotated[
        int, typer.Option("--keep-mb", min=0, help="Keep the most recently used up to this size.")
    ] = 0,
) -> None:
    """Give up kept tokens and the like, which are made again when needed; runs stay."""
    done = settings.open_store().artefacts.tidy(keep_mb * 1_000_000)
    if settings.json:
        answer(
            {
                "removed": done.removed,
                "freed_bytes": done.freed_bytes,
                "kept": done.kept,
                "kept_bytes": done.kept_bytes,
            }
        )
    else:
        print(f"Removed {done.removed} entries, {done.freed_bytes / 1e6:.1f} MB")
        print(f"Kept {done.kept} entries, {done.kept_bytes / 1e6:.1f} MB")


def show_budget(
    settings: Settings,
    named: Annotated[str, typer.Argument(metavar="RUN_OR_RECIPE", help="Whose data set.")],
    delta: Annotated[
        float | None,
        typer.Option(
            "--delta", help="Chance that the promise fails; else the smallest that a run promised."
        ),
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", metavar="RUN", help="Free what RUN still holds.")
    ] = None,
) -> None:
    """Show what all private runs on a data set have spent together."""
    with settings.listener() as listener:
        store = settings.open_store()
        listener.start("load the libraries")
        from luthier.stages.safety.budget import budget

        told = budget(named, delta, release, store, listener)
    if settings.json:
        answer(told)
        return
    from luthier.cli.views.audit import show_budget as show

    show(told)
