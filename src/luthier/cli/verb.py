"""A verb: a function of `Settings` and its own options, with the shared options added."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer

import luthier
from luthier.cli.guard import guarded
from luthier.cli.settings import AsJson, Home, Quiet, Settings, StoreUrl
from luthier.core.home import HOME_VARIABLE, default_home

Function = Callable[..., None]

_SHARED: dict[str, tuple[Any, Any]] = {
    "as_json": (AsJson, False),
    "quiet": (Quiet, False),
    "store": (StoreUrl, None),
    "home": (Home, None),
}
_CALM = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def verb(app: typer.Typer, name: str) -> Callable[[Function], Function]:
    """Registers a function as the verb `name` of `app`.

    The function's first parameter receives the `Settings`; the command gets the shared options
    in its place, and the guard around it.
    """

    def register(function: Function) -> Function:
        app.command(name)(_command(function))
        return function

    return register


def _print_version(wanted: bool) -> None:
    if wanted:
        print(luthier.__version__)
        raise typer.Exit


def shared_options(
    context: typer.Context,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: StoreUrl = None,
    home: Home = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Fine-tune language models, measured against the untouched base.

    Start with `luthier init DATA`, then `luthier run recipe.yaml`.
    """
    # The shared options may stand before the verb as well as after it.
    context.obj = Settings(as_json, quiet, store, home or default_home())


def _command(function: Function) -> Function:
    own = inspect.signature(function, eval_str=True).parameters
    _, *options = own.values()

    def command(context: typer.Context, **given: Any) -> None:
        shared = {name: given.pop(name) for name in _SHARED}
        settings = _merge(context.obj or Settings(home=default_home()), shared)
        with guarded(settings.home, settings.json):
            # What lies deeper, child processes too, finds the same folder.
            os.environ[HOME_VARIABLE] = str(settings.home)
            _calm_libraries()
            function(settings, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(option.replace(kind=keyword) for option in options),
        *(
            inspect.Parameter(name, keyword, annotation=kind, default=default)
            for name, (kind, default) in _SHARED.items()
        ),
    ]
    parameters[0] = parameters[0].replace(annotation=typer.Context)
    command.__doc__ = function.__doc__
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _merge(before: Settings, after: dict[str, Any]) -> Settings:
    return replace(
        before,
        json=before.json or after["as_json"],
        quiet=before.quiet or after["quiet"],
        store_url=after["store"] or before.store_url,
        home=(after["home"] or before.home).expanduser(),
    )


def _calm_libraries() -> None:
    # What libraries print would hide the one sentence that matters; -W brings it back.
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
