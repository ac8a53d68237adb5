"""A run whose data and base come from the hub is recorded with their commits and goes on alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_child import TOKEN, asking
from hub_server import serving
from luthier.core.types import Task
from tiny import bert, bert_config, save_model, task_rows

pytest.importorskip("datasets", reason="the hub extra is not installed")
__all__ = ["bert"]
RECIPE = """
task: classify
data: {train: ward/notes}
model: {id: lab/bert, precision: float32}
train: {max_steps: 2, batch_size: 8, validations: 1}
evaluate: {draws: 100}
"""


def _files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def _rows(count: int) -> dict[str, bytes]:
    lines = "".join(json.dumps(row) + "\n" for row in task_rows(Task.CLASSIFY, count))
    return {"train.jsonl": lines.encode()}


@pytest.mark.slow
def test_a_run_names_its_commits_and_is_true_to_them(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    folder = str(tmp_path)
    always = ["--home", str(tmp_path / "runs"), "--json", "--quiet"]
    with serving() as hub, asking(hub.address, tmp_path / "cache") as child:
        data = hub.repository("datasets/ward/notes").push(_rows(40))
        base = hub.repository("lab/bert").push(_files(bert))
        ran = child.ask("command", words=["run", "recipe.yaml", *always], folder=folder)
        assert ran["code"] == 0, ran["output"]
        answer = json.loads(ran["output"].splitlines()[-1])
        run = Path(answer["path"])
        recipe = json.loads((run / "recipe.json").read_text())
        assert recipe["data"]["train"] == f"ward/notes@{data}"
        assert recipe["model"]["revision"] == base
        adapter = json.loads((run / "model/adapter/adapter_config.json").read_text())
        assert adapter["base_model_name_or_path"] == "lab/bert"
        card = (run / "model" / "README.md").read_text()
        assert "type: ward/notes\n" in card and f'from_pretrained(base, revision="{base}")' in card
        asked = len(hub.asked)
        # both move on; the run does not
        hub.repository("datasets/ward/notes").push(_rows(80))
        other = save_model(tmp_path / "other", bert_config(num_hidden_layers=2), causal=False)
        hub.repository("lab/bert").push(_files(other))
        words = ["predict", answer["run"], "the fee is late", *always]
        told = child.ask("command", words=words, folder=folder)
        assert told["code"] == 0, told["output"]
        again = child.ask(
            "command", words=["run", str(run / "recipe.yaml"), *always], folder=folder
        )
        assert again["code"] == 0, again["output"]
        path = Path(json.loads(again["output"].splitlines()[-1])["path"])
        measured = [json.loads((p / "metrics.json").read_text()) for p in (run, path)]
        assert measured[0] == measured[1]
        assert hub.revisions("ward/notes") == {data} and hub.revisions("lab/bert") == {base}
        assert child.ask("tried") == [] and len(hub.asked) > asked
    kept = [p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()]
    assert not any(TOKEN.encode() in content for content in kept)
