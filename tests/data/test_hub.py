"""Data sets of the hub, asked of a small hub on this machine: one commit, clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_child import TOKEN, Child, asking
from hub_server import HubServer, serving
from luthier.core.errors import FixData
from luthier.data.source import fingerprint, open_source
from luthier.data.sources.hub import HubName

pytest.importorskip("datasets", reason="the hub extra is not installed")
CARD = """---
dataset_info:
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': calm, '1': urgent}}}
---
"""


def lines(*texts: str) -> bytes:
    """JSON Lines with class numbers in turn."""
    rows = [{"text": text, "label": i % 2} for i, text in enumerate(texts)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A hub with a public, a gated and a private data set."""
    with serving() as server:
        notes = server.repository("datasets/ward/notes")
        old = notes.push({"train.jsonl": lines("old one", "old two"), "README.md": CARD.encode()})
        notes.tags["v1.0"] = old
        notes.push(
            {
                "train.jsonl": lines("new one", "new two", "new three"),
                "test.jsonl": lines("held out"),
                "README.md": CARD.encode(),
            }
        )
        refusals = {"gated": (403, "GatedRepo"), "asked": (401, "GatedRepo")}
        refusals |= {"private": (401, "RepoNotFound"), "forbidden": (403, "")}
        refusals |= {"busy": (429, ""), "broken": (500, "")}
        for name, refusal in refusals.items():
            server.repository(f"datasets/ward/{name}").refusal = refusal
        yield server


@pytest.fixture(scope="module")
def child(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A process that asks this hub."""
    with asking(hub.address, tmp_path_factory.mktemp("hub") / "home") as asked:
        yield asked


def test_rows_come_with_class_names(child: Child) -> None:
    rows = child.ask("rows", location="ward/notes")
    assert rows == [
        {"text": "new one", "label": "calm"},
        {"text": "new two", "label": "urgent"},
        {"text": "new three", "label": "calm"},
    ]
    assert child.ask("rows", location="ward/notes", split="test")[0]["text"] == "held out"


@pytest.mark.parametrize("revision", ["v1.0", 0])
def test_rows_of_a_tag_and_of_a_commit(revision: Any, child: Child, hub: HubServer) -> None:
    wanted = revision or next(iter(hub.repository("datasets/ward/notes").commits))
    rows = child.ask("rows", location=f"ward/notes@{wanted}")
    assert [row["text"] for row in rows] == ["old one", "old two"]


def test_everything_is_read_at_the_commit_asked_for_first(child: Child, hub: HubServer) -> None:
    moving = hub.repository("datasets/ward/moving")
    first = moving.push({"train.jsonl": lines("before"), "README.md": CARD.encode()})
    place = child.ask("pin", location="ward/moving")
    assert place == f"ward/moving@{first}"
    second = moving.push({"train.jsonl": lines("after"), "README.md": CARD.encode()})
    assert [row["text"] for row in child.ask("rows", location=place)] == ["before"]
    print_then = child.ask("fingerprint", location=place)
    assert hub.revisions("ward/moving") == {first}
    assert [row["text"] for row in child.ask("rows", location="ward/moving")] == ["after"]
    assert hub.revisions("ward/moving") == {first, second}
    assert child.ask("fingerprint", location="ward/moving") != print_then
    assert child.ask("fingerprint", location=f"ward/moving@{first}") == print_then


REFUSALS = {
    "ward/gated": ("let in", "ask for access at http://127.0.0.1"),
    "ward/asked": ("let in", "hf auth login"),
    "ward/private": ("no data set 'ward/private', or keeps it private", "HF_TOKEN"),
    "ward/absent": ("no data set 'ward/absent'", "check the spelling"),
    "ward/forbidden": ("forbids", "ask its owner"),
    "ward/busy": ("no more requests", "wait"),
    "ward/broken": ("(500)", "try again later"),
    "ward/notes@v9": ("no revision 'v9'", "a commit, a tag or a branch"),
}


@pytest.mark.parametrize("location", REFUSALS)
def test_a_refusal_says_what_to_do_and_no_secret(location: str, child: Child) -> None:
    for do in ("rows", "fingerprint"):
        answer = child.ask(do, location=location)
        assert answer["kind"] == "FixData" and answer["error"].startswith(location)
        for words in REFUSALS[location]:
            assert words in answer["error"]
        assert TOKEN not in json.dumps(answer)


def test_an_unknown_split_is_named(child: Child) -> None:
    answer = child.ask("rows", location="ward/notes", split="dev")
    assert "dev" in answer["error"] and "test" in answer["error"]


def test_a_command_ends_with_one_sentence_and_no_secret(child: Child, tmp_path: Path) -> None:
    words = ["--home", str(tmp_path), "init", "ward/gated", "--yes", "--json"]
    answer = child.ask("command", words=words, folder=str(tmp_path))
    assert answer["code"] == FixData.exit_code and "hf auth login" in answer["output"]
    kept = [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert TOKEN not in answer["output"] + "".join(kept)


def test_nothing_is_told_to_anyone_else(child: Child, hub: HubServer) -> None:
    child.ask("rows", location="ward/notes")
    assert child.ask("tried") == []
    assert any(TOKEN in asked.token for asked in hub.asked)


def test_a_hub_that_is_not_there(tmp_path: Path) -> None:
    with serving() as gone:
        address = gone.address
    with asking(address, tmp_path / "home") as child:
        answer = child.ask("rows", location="ward/notes")
        assert f"the hub at {address} cannot be reached" in answer["error"]
        assert "local folder" in answer["error"] and TOKEN not in json.dumps(answer)


def test_a_hub_that_must_not_be_asked(hub: HubServer, tmp_path: Path) -> None:
    before = len(hub.asked)
    with asking(hub.address, tmp_path / "home", HF_HUB_OFFLINE="1") as child:
        assert "HF_HUB_OFFLINE" in child.ask("rows", location="ward/notes")["error"]
    assert len(hub.asked) == before


@pytest.mark.parametrize("name", ["a/b", "a/b@v1", "a/b:small", "a/b@refs/pr/1:small"])
def test_a_name_is_read_and_written_alike(name: str) -> None:
    assert str(HubName.parse(name)) == name


def test_a_commit_is_its_own_fingerprint() -> None:
    one, two = ("a/b@" + digit * 40 for digit in "12")
    assert fingerprint(one) == fingerprint(one) != fingerprint(two)
    assert open_source(one).place == "a/b@11111111"
