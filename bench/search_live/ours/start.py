"""Ordinary runs that differ in how much of the linear probe training starts from."""

from __future__ import annotations

from pathlib import Path

import torch
from gate import Gate

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.stages.api import run
from luthier.store.store import Store
from recipe import recipe


def main() -> None:
    """Answers the test accuracy from each start."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    store, found = Store.open(folder=place / "home"), []
    for share in given["shares"]:
        content = recipe(given)
        content["train"]["probe_start"] = share
        done = run(recipe_from_dict(content, f"{given['name']} from {share}"), place,
                   Silence(), store)  # fmt: skip
        found.append(done.metrics["tuned"]["accuracy"])
    gate.tell(accuracies=found)


if __name__ == "__main__":
    main()
