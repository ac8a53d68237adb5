"""Replays that were made, kept in `work/` so that none is made twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay import Play
from tables import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENT, WORK = HERE / ".env", HERE / "work"
PEERS = ("torch==2.13.0", "scipy", "optuna==5.0.0", "syne-tune==0.16.0", "huggingface_hub")
"""Torch first, so that no other package decides which build of it is taken."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """How much is replayed: seeds, the budget in trainings of the default, and what is read.

    A task with `least` records serves our search as history; from `enough` on it is replayed.
    Syne Tune's transfer knows only what all past tasks have in common, so short ones would harm it.
    """

    seeds: int
    runs: float
    depth: str
    least: int
    enough: int


def peer_python() -> str:
    """The interpreter of the peers' own environment, which is made at the first call."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "made").exists():
        _say_and_run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for package in PEERS:
            _say_and_run([*install, package])
        (ENVIRONMENT / "made").touch()
    return str(python)


def _say_and_run(command: list[str]) -> None:
    print(" ".join(command), file=sys.stderr, flush=True)
    subprocess.run(command, check=True)


class Keeper:
    """Replays per task and method; what is there already for a seed is not made again."""

    def __init__(self, tables: Sequence[Table], settings: Settings) -> None:
        self._tables, self._settings = tables, settings
        everything = "".join(t.digest for t in tables)
        self._tables_digest = _short(everything)
        self._ours = _short(everything + _source(ROOT / "src/luthier/search"))

    def peer(self, table: Table, method: str) -> list[dict[str, Any]]:
        """Of a method in the peers' environment, one per seed."""
        transfers = "transfer" in method
        file = self._file(table, method, self._tables_digest if transfers else table.digest)
        missing = self._missing(file)
        if missing:
            asked = {"task": table.name, "method": method, "seeds": missing,
                     "runs": self._settings.runs, "depth": self._settings.depth,
                     "least": self._settings.enough}  # fmt: skip
            command = [peer_python(), str(HERE / "peers.py"), json.dumps(asked)]
            with file.open("a", encoding="utf-8") as out:
                subprocess.run(command, check=True, stdout=out, env=_surroundings(), cwd=HERE)
        return self._kept(file)

    def ours(self, table: Table, method: str) -> list[dict[str, Any]]:
        """Of our own search, one per seed, in this process."""
        from ours import WAYS, search

        file = self._file(table, method, self._ours)
        for seed in self._missing(file):
            play = Play(table, self._settings.runs * table.full)
            found = play.result(search(play, seed, WAYS[method], self._tables))
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"seed": seed, **found}) + "\n")
        return self._kept(file)

    def _file(self, table: Table, method: str, digest: str) -> Path:
        WORK.mkdir(exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        runs = f"{self._settings.runs:g}"
        return WORK / f"{table.name}.{self._settings.depth}.{slug}.{runs}.{digest}.jsonl"

    def _missing(self, file: Path) -> list[int]:
        have = {line["seed"] for line in _lines(file)}
        return [seed for seed in range(self._settings.seeds) if seed not in have]

    def _kept(self, file: Path) -> list[dict[str, Any]]:
        found = {line["seed"]: line for line in _lines(file)}
        return [found[seed] for seed in sorted(found) if seed < self._settings.seeds]


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _source(folder: Path) -> str:
    files = sorted(folder.rglob("*.py"))
    return "".join(hashlib.sha256(f.read_bytes()).hexdigest() for f in files)


def _surroundings() -> dict[str, str]:
    return os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": str(HERE)}
