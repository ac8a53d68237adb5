"""A process of its own that asks the hub: reads one JSON request a line, answers one a line.

Nothing but this machine can be reached from it, and what was tried is told.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TOKEN = "hf_" + "SecretOfTheTest" * 2


class Child:
    """The other end of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, **words: Any) -> Any:
        """What the child answers to a request; an error comes back as a dict with `error`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do} | words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def asking(address: str, home: Path, **settings: str) -> Iterator[Child]:
    """A child whose hub is at `address`, with a token and an empty cache under `home`."""
    told = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_TOKEN": TOKEN} | settings
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LUTHIER_"))}
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment |= told | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    with (home.parent / "errors.txt").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Child(process)
        finally:
            process.communicate(timeout=60)


def _fence() -> list[str]:
    """Refuses every address but this machine's, and notes it."""
    tried: list[str] = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def near(host: Any) -> bool:
        name = host.decode() if isinstance(host, bytes) else host
        if name in (None, "", "127.0.0.1", "localhost"):
            return True
        tried.append(str(name))
        return False

    def looking(host: Any, *words: Any, **more: Any) -> Any:
        if not near(host):
            raise OSError(f"no way to {host}")
        return look_up(host, *words, **more)

    def connecting(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not near(address[0]):
            raise OSError(f"no way to {address}")
        connect(self, address)

    socket.getaddrinfo = looking
    socket.socket.connect = connecting  # type: ignore[method-assign]
    return tried


def _rows(asked: dict[str, Any]) -> Any:
    from luthier.data.source import open_source

    source = open_source(asked["location"], split=asked.get("split"))
    return [row for _, row in source.rows()]


def _fingerprint(asked: dict[str, Any]) -> Any:
    from luthier.data.source import fingerprint

    return fingerprint(asked["location"])


def _pin(asked: dict[str, Any]) -> Any:
    from luthier.data.source import pin

    return pin(asked["location"])


def _load(asked: dict[str, Any]) -> Any:
    from luthier.core.types import Task
    from luthier.models.base import BaseSpec, load_base, stated_pooling

    base = load_base(BaseSpec(asked["id"], asked.get("revision")), Task(asked["task"]))
    weight = next(base.network.parameters())
    return {
        "revision": base.spec.revision,
        "hash": base.hash,
        "pooling": stated_pooling(base),
        "named": [base.network.name_or_path, base.tokenizer.name_or_path],
        "sum": float(weight.sum()),
    }


def _writes(asked: dict[str, Any]) -> Any:
    from luthier.models.places import writes

    return {"writes": writes(asked["id"], asked.get("revision"))}


def _command(asked: dict[str, Any]) -> Any:
    from typer.testing import CliRunner

    from luthier.cli.main import app

    os.chdir(asked["folder"])
    ended = CliRunner().invoke(app, asked["words"])
    return {"code": ended.exit_code, "output": ended.output}


def main() -> None:
    """Answers until the pipe is closed."""
    tried = _fence()
    answers = {
        "rows": _rows, "fingerprint": _fingerprint, "pin": _pin, "load": _load,
        "writes": _writes,
        "command": _command, "tried": lambda _: tried,
    }  # fmt: skip
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = answers[asked["do"]](asked)
        except Exception as error:
            answer = {
                "error": str(error),
                "kind": type(error).__name__,
                "trace": traceback.format_exc(),
            }
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
