"""Models of the hub, asked of a small hub on this machine: one commit, safetensors, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_child import TOKEN, Child, asking
from hub_server import HubServer, serving
from luthier.core.errors import FixModel
from luthier.models.places import is_hub, locate, writes

POOLING = {"1_Pooling/config.json": json.dumps({"pooling_mode_cls_token": True}).encode()}


def files(folder: Path) -> dict[str, bytes]:
    """The files of a model folder by path."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.fixture(scope="module")
def hub(bert: Path, llama: Path) -> Iterator[HubServer]:
    """A hub with models that are good, gated, pickled and broken."""
    with serving() as server:
        good = files(bert)
        mean = server.repository("lab/mean")
        mean.push(good | {"onnx/model.safetensors": b"x", "pytorch_model.bin": b"y"})
        server.repository("lab/cls").push(good | POOLING)
        server.repository("lab/chat").push(files(llama))
        weightless = {k: v for k, v in good.items() if k != "model.safetensors"}
        server.repository("lab/pickled").push(weightless | {"pytorch_model.bin": b"z"})
        server.repository("lab/weightless").push(weightless)
        cut = good["model.safetensors"][:-4]
        server.repository("lab/cut").push(good | {"model.safetensors": cut})
        refusals = {"gated": (403, "GatedRepo"), "private": (401, "RepoNotFound")}
        refusals |= {"forbidden": (403, ""), "broken": (500, "")}
        for name, refusal in refusals.items():
            server.repository(f"lab/{name}").refusal = refusal
        yield server


@pytest.fixture(scope="module")
def child(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A process that asks this hub."""
    with asking(hub.address, tmp_path_factory.mktemp("hub") / "home") as asked:
        yield asked


def test_only_what_is_needed_is_fetched_and_at_one_commit(child: Child, hub: HubServer) -> None:
    opened = child.ask("load", id="lab/mean", task="classify")
    (commit,) = hub.repository("lab/mean").commits
    assert opened["revision"] == commit and hub.revisions("lab/mean") == {commit}
    assert opened["pooling"] == "mean" and opened["named"] == ["lab/mean", "lab/mean"]
    fetched = {a.path.split("/")[-1] for a in hub.asked if "lab/mean/resolve" in a.path}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= fetched
    assert not any("onnx" in a.path or a.path.endswith(".bin") for a in hub.asked)


def test_a_causal_model_opens(child: Child) -> None:
    assert child.ask("load", id="lab/chat", task="instruct")["named"] == ["lab/chat"] * 2


def test_the_pooling_it_states_is_used(child: Child) -> None:
    assert child.ask("load", id="lab/cls", task="classify")["pooling"] == "cls"


def test_a_new_commit_is_another_model_and_the_old_one_stays(
    child: Child, hub: HubServer, bert: Path, masked_bert: Path
) -> None:
    moving = hub.repository("lab/moving")
    first = moving.push(files(bert))
    before = child.ask("load", id="lab/moving", task="classify")
    second = moving.push(files(masked_bert))
    after = child.ask("load", id="lab/moving", task="classify")
    assert (before["revision"], after["revision"]) == (first, second)
    assert before["hash"] != after["hash"]
    again = child.ask("load", id="lab/moving", revision=first, task="classify")
    assert again == before


REFUSALS = {
    "lab/pickled": ("the weights are pickled (pytorch_model.bin)", "safetensors"),
    "lab/weightless": ("there are no weights", "safetensors"),
    "lab/cut": ("cut off or damaged", "copy the file again"),
    "lab/gated": ("let in", "ask for access at http://127.0.0.1"),
    "lab/private": ("no model 'lab/private', or keeps it private", "HF_TOKEN"),
    "lab/absent": ("no model 'lab/absent'", "check the spelling"),
    "lab/forbidden": ("forbids", "ask its owner"),
    "lab/broken": ("(500)", "try again later"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_to_do_and_no_secret(name: str, child: Child) -> None:
    answer = child.ask("load", id=name, task="classify")
    assert answer["kind"] == "FixModel", answer
    for words in REFUSALS[name]:
        assert words in answer["error"]
    assert TOKEN not in json.dumps(answer)


def test_an_unknown_revision(child: Child) -> None:
    answer = child.ask("load", id="lab/mean", revision="v9", task="classify")
    assert "no revision 'v9'" in answer["error"]


def test_pickled_weights_are_neither_fetched_nor_converted(child: Child, hub: HubServer) -> None:
    child.ask("load", id="lab/pickled", task="classify")
    paths = [unquoted for a in hub.asked if "lab/pickled" in (unquoted := a.path)]
    assert not any(p.endswith(".bin") or "discussions" in p or "refs" in p for p in paths)
    assert child.ask("tried") == []


@pytest.mark.slow
def test_what_was_fetched_serves_without_the_hub(hub: HubServer, tmp_path: Path) -> None:
    with asking(hub.address, tmp_path / "home") as child:
        online = child.ask("load", id="lab/cls", task="classify")
    before = len(hub.asked)
    with asking(hub.address, tmp_path / "home", HF_HUB_OFFLINE="1") as child:
        assert child.ask("load", id="lab/cls", task="classify") == online
        answer = child.ask("load", id="lab/mean", task="classify")
        assert "HF_HUB_OFFLINE" in answer["error"] and "local folder" in answer["error"]
    assert len(hub.asked) == before
    with serving() as gone:
        address = gone.address
    with asking(address, tmp_path / "home") as child:
        assert child.ask("load", id="lab/cls", task="classify") == online
        answer = child.ask("load", id="lab/mean", task="classify")
        assert f"the hub at {address} cannot be reached" in answer["error"]


@pytest.mark.parametrize(
    "name", ["auto", "embedded", "embedded:encoder", "./here", "/a/b", "~/m", "a/b/c"]
)
def test_places_that_are_not_the_hub(name: str) -> None:
    assert not is_hub(name)
    assert is_hub("owner/name") and is_hub("name")


@pytest.mark.parametrize("name", ["embedded", "embedded:decoder"])
def test_an_embedded_model_needs_its_whole_name(name: str) -> None:
    with pytest.raises(FixModel, match="embedded:encoder, embedded:causal"):
        locate(name)


def test_whether_a_model_writes_is_told_by_its_configuration_alone(
    child: Child, hub: HubServer, tmp_path: Path
) -> None:
    assert child.ask("writes", id="lab/weightless") == {"writes": False}
    assert not any("safetensors" in a.path for a in hub.asked if "lab/weightless/resolve" in a.path)
    assert child.ask("writes", id="lab/chat") == {"writes": True}
    assert writes("embedded:causal")
    assert not writes(str(tmp_path)), "a folder without a configuration is none"
    (tmp_path / "config.json").write_text('["no object"]', encoding="utf-8")
    assert not writes(str(tmp_path))
