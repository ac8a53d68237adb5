"""Bad input on the command line: one sentence, an exit code, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

RECIPE = "data:\n  train: tickets.csv\ntrain:\n  learnign_rate: 1e-4\n"


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_unknown_key_names_file_line_and_nearest(luthier, tmp_path: Path, verb: str) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    ended = luthier(verb, "recipe.yaml")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.strip().splitlines() == [
        "recipe.yaml, line 4: the key 'learnign_rate' is unknown in `train`. allowed: epochs, "
        "max_steps, batch_size, micro_batch, learning_rate, head_rate, probe_start, stack, "
        "schedule, optimizer, objective, patience, validations, seed. "
        "did you mean 'train.learning_rate'?"
    ]


def test_json_tells_the_error_too(luthier, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    ended = luthier("run", "recipe.yaml", "--json")
    assert ended.code == 2
    assert ended.json["exit_code"] == 2
    assert ended.json["error"]["kind"] == "FixRecipe"
    assert ended.json["error"]["place"] == "recipe.yaml, line 4"


def test_missing_recipe_names_the_nearest(luthier, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    ended = luthier("plan", "recpie.yaml")
    assert ended.code == 2 and "did you mean recipe.yaml?" in ended.err


def test_bad_override(luthier, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("data:\n  train: tickets.csv\n", encoding="utf-8")
    ended = luthier("run", "recipe.yaml", "adapter.rnak=4")
    assert ended.code == 2
    assert "override 'adapter.rnak=4'" in ended.err and "'adapter.rank'" in ended.err


def test_missing_data_names_the_nearest(luthier, rows: Path) -> None:
    ended = luthier("init", "ticket.csv", "--yes")
    assert ended.code == 3
    assert "ticket.csv" in ended.err and "tickets.csv" in ended.err
    assert not rows.with_name("recipe.yaml").exists()


def test_empty_data(luthier, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    ended = luthier("init", "empty.csv", "--yes")
    assert ended.code == 3 and "empty.csv" in ended.err
    assert "Traceback" not in ended.err


def test_existing_recipe_is_kept(luthier, rows: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("mine", encoding="utf-8")
    ended = luthier("init", rows.name, "--yes")
    assert ended.code == 2 and "exists already" in ended.err and "--force" in ended.err
    assert recipe.read_text(encoding="utf-8") == "mine"
    assert luthier("init", rows.name, "--yes", "--force").code == 0
    assert "tickets.csv" in recipe.read_text(encoding="utf-8")


def test_existing_answers_are_kept(luthier, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    out.write_text("mine", encoding="utf-8")
    ended = luthier("predict", "some-run", "--data", rows.name, "--out", out.name)
    assert ended.code == 3 and "exists already" in ended.err
    assert out.read_text(encoding="utf-8") == "mine"


def test_predict_wants_text_or_file(luthier, rows: Path) -> None:
    assert "nothing to answer" in luthier("predict", "some-run").err
    both = luthier("predict", "some-run", "text", "--data", rows.name)
    assert both.code == 3 and "a text and --data were given" in both.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "no-such-run", "text"),
        ("eval", "no-such-run", "--data", "tickets.csv"),
        ("runs", "show", "no-such-run"),
        ("runs", "compare", "no-such-run", "nor-this"),
        ("runs", "resume", "no-such-run"),
        ("runs", "delete", "no-such-run", "--yes"),
    ],
)
def test_run_that_does_not_exist(luthier, rows: Path, arguments: tuple[str, ...]) -> None:
    ended = luthier(*arguments)
    assert ended.code == 8
    assert "no-such-run" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


def test_comparing_one_run_is_refused(luthier) -> None:
    assert luthier("runs", "compare", "only-one").code == 8
