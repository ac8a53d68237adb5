"""Worker processes of both environments, and the alternation between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENT = HERE / ".env"
WORK = HERE / "work"
DATA = Path(os.environ.get("LUTHIER_DATA", ROOT.parent / "shared" / "data"))
PEERS = (
    "transformers==5.24.0",
    "peft==0.21.2",
    "accelerate==1.15.0",
    "scikit-learn==1.9.1",
    "numpy==2.4.6",
    "trl==1.16.0",
    "datasets==5.2.0",
)


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    repetitions: int
    steps: int
    threads: int
    quick: bool


def peer_python() -> str:
    """The interpreter of the peers' own environment, which is made at the first call."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "pip").exists():
        _say_and_run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Torch first, so that no other package decides which build of it is taken.
        _say_and_run([*install, "torch==2.13.0"])
        _say_and_run([*install, *PEERS])
    return str(python)


def _say_and_run(command: list[str]) -> None:
    print(" ".join(command), file=sys.stderr, flush=True)
    subprocess.run(command, check=True)


def surroundings(threads: int) -> dict[str, str]:
    """The environment variables of a worker."""
    count = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(HERE),
        "LUTHIER_HOME": str(WORK / "home"),
    }


class Worker:
    """A process that works in windows when told to."""

    def __init__(self, script: str, given: dict[str, Any], threads: int) -> None:
        """`script` lies in this folder or beside it; ours runs here, theirs in the peers' own."""
        WORK.mkdir(exist_ok=True)
        python = peer_python() if "theirs" in script else sys.executable
        log = given.get("name", script.replace("/", "-").removesuffix(".py"))
        self.log = WORK / f"{log}.log"
        self._process = subprocess.Popen(
            [python, str(HERE / script), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            env=surroundings(threads),
            text=True,
        )

    def window(self, steps: int) -> dict[str, Any]:
        """What `steps` updates took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"go {steps}\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises: RuntimeError with the end of the log when there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise RuntimeError(f"{self.log}: the worker ended\n{tail}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Lets the process go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def once(script: str, given: dict[str, Any], threads: int) -> dict[str, Any]:
    """The one answer of a worker that has no windows."""
    worker = Worker(script, given, threads)
    try:
        return worker.answer()
    finally:
        worker.end()


def alternate(
    workers: Sequence[Worker], settings: Settings, warm: int = 2
) -> list[list[dict[str, Any]]]:
    """For each worker its windows, measured in turn so that noise meets all of them alike."""
    try:
        for worker in workers:
            worker.window(warm)
        found: list[list[dict[str, Any]]] = [[] for _ in workers]
        for repetition in range(settings.repetitions):
            # The one that begins changes, so that a drift favours nobody.
            order = range(len(workers)) if repetition % 2 == 0 else reversed(range(len(workers)))
            for place in order:
                found[place].append(workers[place].window(settings.steps))
            last = [f[-1] for f in found]
            print(
                f"  repetition {repetition + 1}: "
                + " | ".join(
                    f"{w['rows']} rows, {w['wall']:.1f} s, cpu {w['cpu']:.1f} s" for w in last
                ),
                file=sys.stderr,
                flush=True,
            )
        return found
    finally:
        for worker in workers:
            worker.end()
