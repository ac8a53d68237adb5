"""results.json: one row per measurement, written the moment it exists."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

QUESTION = "How fast and how well does Luthier train, against the libraries people use now?"
COMMAND = "python bench/training/run.py"


@dataclass(frozen=True)
class Row:
    """One line of the table; `must` and `aim` say what was asked for, `met` whether `must` is."""

    what: str
    peer: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    interval: tuple[float, float] | None
    must: str
    aim: str
    met: bool


class Ledger:
    """The rows measured so far. A dry one keeps nothing."""

    def __init__(self, file: Path, again: bool, dry: bool) -> None:
        self._file, self._again, self._dry = file, again, dry
        self._rows = [] if dry else self._read()

    def _read(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        rows: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))["rows"]
        return rows

    def has(self, what: str, peer: str) -> bool:
        """Whether this line was measured before and may be kept."""
        if self._again or self._dry:
            return False
        return any((r["what"], r["peer"]) == (what, peer) for r in self._rows)

    def add(self, row: Row) -> None:
        """Writes the row at once, in the place of an earlier one of the same name."""
        shown = asdict(row)
        print(json.dumps(shown), flush=True)
        if self._dry:
            return
        # Another question may have written its lines meanwhile.
        self._rows = self._read()
        same = [
            i for i, r in enumerate(self._rows) if (r["what"], r["peer"]) == (row.what, row.peer)
        ]
        if same:
            self._rows[same[0]] = shown
        else:
            self._rows.append(shown)
        about = {
            "question": QUESTION,
            "command": COMMAND,
            "date": datetime.date.today().isoformat(),
            "machine": machine(),
            "commit": commit(),
            "rows": self._rows,
        }
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self._file)


def keep_results(folder: Path, question: str, command: str, rows: Sequence[Any]) -> None:
    """Writes results.json of a bench that measures all its rows before it keeps any."""
    about = {
        "question": question,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "commit": commit(),
        "rows": list(rows),
    }
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / "results.json").write_text(text, encoding="utf-8")


def keep_further(folder: Path, text: str) -> None:
    """Writes further tables into the README, between their marks."""
    readme, begin, end = folder / "README.md", "<!-- further: begin -->", "<!-- further: end -->"
    before, _, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def ratio_row(
    names: tuple[str, str],
    ours: Sequence[float],
    theirs: Sequence[float],
    bounds: tuple[float, float],
    score: Callable[[float, float], float] = lambda a, b: a / b,
) -> Row:
    """Medians of repetitions, and the median, lowest and highest of the paired ratios."""
    pairs = [score(a, b) for a, b in zip(ours, theirs, strict=True)]
    ratio, (must, aim) = statistics.median(pairs), bounds
    return Row(
        *names,
        round(statistics.median(ours), 3),
        round(statistics.median(theirs), 3),
        round(ratio, 3),
        (round(min(pairs), 3), round(max(pairs), 3)),
        f"at least {must:g}x",
        f"at least {aim:g}x",
        ratio >= must,
    )


def value_row(names: tuple[str, str], values: Sequence[float], must: float, aim: float) -> Row:
    """A value of our own that must stay below a bound."""
    middle = statistics.median(values)
    rounded = [float(f"{v:.4g}") for v in (middle, min(values), max(values))]
    return Row(
        *names, rounded[0], None, None, (rounded[1], rounded[2]),
        f"at most {must:g}", f"at most {aim:g}", middle <= must,
    )  # fmt: skip


def machine() -> str:
    """Processor, cores and memory in words."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    lines = [line.partition(":") for line in info.splitlines()]
    names = sorted({value.strip() for key, _, value in lines if key.startswith("model name")})
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = ", ".join(names) or platform.machine()
    return f"{kind}, {os.cpu_count()} cores, {memory:.0f} GiB"


def commit() -> str:
    """The commit that was measured; `+` after it when files had changed since."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True)
        return done.stdout.strip()

    source = ask("rev-parse", "--show-toplevel") + "/src"
    return ask("rev-parse", "--short", "HEAD") + ("+" if ask("status", "--short", source) else "")
