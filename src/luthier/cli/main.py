"""The `luthier` command."""

from __future__ import annotations

import typer

from luthier.cli import verb
from luthier.cli.bias import repair
from luthier.cli.groups import data, models, runs
from luthier.cli.verbs import (
    attack,
    audit,
    doctor,
    evaluate,
    explain,
    initialise,
    label,
    plan,
    predict,
    run,
    schema,
    tune,
)

# Plain help: the coloured one costs as much time again as everything else together.
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
app.callback()(verb.shared_options)

for member in (initialise, plan, run, tune, predict, evaluate, explain, label, attack):
    member.add(app)
for member in (audit, repair):
    member.add(app)
runs.add(app)
data.add(app)
models.add(app)
for member in (doctor, schema):
    member.add(app)

if __name__ == "__main__":
    app()
