"""Nothing is asked of the network when the model lies in a folder."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from luthier.core.types import Task
from luthier.stages.parts.generation import write_answers
from tiny import make_bench


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_no_connection(
    task: Task, bert: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*words: object, **_: object) -> None:
        asked.append(words)
        raise OSError("no network here")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    bench = make_bench(llama if task.generates else bert, task)
    bench.train(2, bench.batches())
    if task.generates:
        prompts = [[{"role": "user", "content": "the fee"}]]
        write_answers(bench.network, bench.contract, prompts, 2)
    assert asked == []
