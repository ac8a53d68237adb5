"""The pages are complete, and their code is code that is tested."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from luthier.core.types import Task
from luthier.stages.parts.loading import Opening, snippet
from tiny import bert, task_rows

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EDGES = sorted(p for p in (DOCS / "sharp-edges").glob("*.md") if p.name != "index.md")

__all__ = ["bert"]


def _python(page: str) -> str:
    (block,) = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.S | re.M)
    return str(block)


def test_every_page_is_in_the_navigation() -> None:
    # Only the navigation is read: other parts hold tags of the site's own program.
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = YAML(typ="safe", pure=True).load(text[text.index("nav:") :])["nav"]
    listed = re.findall(r"[\w./-]+\.md", json.dumps(nav))
    assert sorted(listed) == sorted(str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md"))


def test_the_tree_of_the_readme_is_the_tree_of_the_house() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^  (\w+)/ ", text, re.M))
    rooms = {p.parent.name for p in (ROOT / "src" / "luthier").glob("*/__init__.py")}
    assert told == rooms
    for place in re.findall(r"^(\w+)/ ", text, re.M):
        assert (ROOT / place).is_dir()


def test_the_verbs_of_the_readme_are_those_of_make() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"(?:`|^)make ([\w-]+)", text, re.M)) <= rules


def test_the_floors_are_those_that_are_checked() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "```\n" + "\n".join(layers) + "\n```" in text


def test_every_example_is_shown_from_its_file() -> None:
    shown = {
        found
        for page in (DOCS / "examples").glob("*.md")
        for found in re.findall(r'^--8<-- "(.+)"$', page.read_text("utf-8"), re.M)
    }
    assert shown == {f"examples/{p.name}" for p in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize("page", EDGES, ids=lambda p: p.stem)
def test_a_sharp_edge_says_what_why_and_what_to_do(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    bold = re.findall(r"^\*\*(.+?)\*\*", text, re.M)
    assert bold == ["What happens.", "Why.", "What Luthier does.", "What you do."]
    title = text.splitlines()[0].removeprefix("# ")
    assert f"- [{title}]({page.name})" in (DOCS / "sharp-edges/index.md").read_text("utf-8")


def test_the_lines_that_open_a_model_are_those_of_the_card() -> None:
    opening = Opening("path/to/base", "encoder", Task.CLASSIFY, "lora", "mean", 256)
    assert _python("how-to/elsewhere.md") == snippet(opening) + "\n"


def test_the_lines_for_programs_run(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = task_rows(Task.CLASSIFY, 40)
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = {
        "data": {"train": "rows.jsonl"},
        "model": {"id": str(bert), "precision": "float32"},
        "train": {"max_steps": 3, "learning_rate": 1e-2},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))
    exec(compile(_python("how-to/programs.md"), "programs.md", "exec"), {})
    assert "accuracy" in capsys.readouterr().out
