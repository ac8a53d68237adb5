"""Measures the content filters: python bench/filters/run.py [--quick]"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from fixtures import fixtures
from measures import Counts, count

from luthier.screen.calibration import upper_bound
from luthier.screen.screen import Screen
from luthier.stages.safety.filtering.heads import Heads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("LUTHIER_DATA", ROOT.parent / "shared" / "data"))
PYTHON = HERE / ".env" / "bin" / "python"
NEEDS = ("presidio-analyzer==2.2.366", "detect-secrets==1.5.0")
PUBLISHED = (
    ("Presidio, vanilla, its own notebook (spaCy large)", 0.685, 0.603),
    ("Presidio, tuned, its own notebook", 0.870, 0.839),
)
"""Precision and recall that presidio-research publishes on the whole set, by type of entity."""


def rows(name: str, part: str = "test") -> list[dict]:
    """The rows of a set."""
    text = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.strip().split("\n")]


def peer(name: str, asked: list[str]) -> list[Any]:
    """What a peer says, from its own environment."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(HERE / ".env")], check=True)
        subprocess.run([str(PYTHON), "-m", "pip", "-q", "install", *NEEDS], check=True)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.json", Path(folder) / "out.json"
        source.write_text(json.dumps(asked), encoding="utf-8")
        subprocess.run(
            [str(PYTHON), str(HERE / "peers.py"), name, str(source), str(target)], check=True
        )
        return json.loads(target.read_text())


def row(
    what: str, peer_name: str, ours: float, theirs: float | None, **more: Any
) -> dict[str, Any]:
    """One line of the table."""
    ratio = ours / theirs if theirs else None
    blank = {"interval": None, "must": "—", "aim": "—", "met": True}
    told = {"what": what, "peer": peer_name, "ours": ours, "theirs": theirs, "ratio": ratio}
    line = told | blank | more
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}


def compare(
    name: str, ours: Counts, theirs: Counts, must: tuple[float, float] | None
) -> list[dict]:
    """Recall and precision of ours and of the peer."""
    (precision, recall), (their_precision, their_recall) = ours.figures(), theirs.figures()
    low_precision, low_recall = ours.intervals()
    lines = []
    for what, value, other, ends, least in (
        ("recall", recall, their_recall, low_recall, must and must[1]),
        ("precision", precision, their_precision, low_precision, must and must[0]),
    ):
        bound = (
            {"must": f"at least {least}", "met": value >= least}
            if least
            else {"met": value >= other}
        )
        lines.append(
            row(
                f"{name}: {what}",
                "Presidio 2.2.366 as it installs offline",
                value,
                other,
                interval=ends,
                **bound,
            )
        )
    return lines


def personal(quick: bool) -> list[dict]:
    """Personal data, in domain (frames and values apart from training's) and out of domain."""
    found = []
    everything = Screen(frozenset({"personal"}), Heads.load())
    apart = rows("presidio_pii")
    asked = apart[:60] if quick else apart
    theirs = peer("presidio", [r["text"] for r in asked])
    ours = [[(s.start, s.end) for s in everything.find(r["text"])] for r in asked]
    measured = count(asked, ours, None)
    name = "personal data, presidio set, frames and values not in training"
    found += compare(name, measured, count(asked, theirs, None), (0.85, 0.93))
    precision, recall = measured.figures()
    for title, their_precision, their_recall in PUBLISHED:
        found.append(
            row(f"{name}: recall", title, recall, their_recall, met=recall >= their_recall)
        )
        found.append(
            row(
                f"{name}: precision",
                title,
                precision,
                their_precision,
                met=precision >= their_precision,
            )
        )
    names = frozenset(
        {"organisation", "title", "group", "age", "date", "phone", "contact", "number"}
    )
    other = {"url", "handle", "date", "email", "ip-address"}
    narrow = Screen(frozenset({"personal"}), Heads.load(), without=names | other)
    tweets = rows("wnut17_ner")[: 150 if quick else None]
    theirs = peer("presidio", [r["text"] for r in tweets])
    ours = [[(s.start, s.end) for s in narrow.find(r["text"])] for r in tweets]
    kinds = {"person", "location"}
    found += compare(
        "persons and places, WNUT-17 (out of domain)",
        count(tweets, ours, kinds),
        count(tweets, theirs, kinds),
        None,
    )
    return found


def everyday(most: int) -> list[str]:
    """Lines of code, documentation and configuration without secrets."""
    library = sysconfig.get_paths()
    pure = Path(library["purelib"])
    places = [
        *sorted(Path(library["stdlib"]).glob("*.py")), *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((pure / "sqlalchemy").rglob("*.py")), *sorted((pure / "sklearn").rglob("*.py")),
    ]  # fmt: skip
    lines: list[str] = []
    for place in places:
        lines += place.read_text(encoding="utf-8", errors="replace").split("\n")
    kept = [line for line in lines if line.strip()]
    step = max(1, len(kept) // most)
    return kept[::step][:most]


def secrets(quick: bool) -> list[dict]:
    """Secrets in lines made for the purpose, and false alarms in everyday lines."""
    screen = Screen(frozenset({"secrets"}))
    made = fixtures(4 if quick else 40, seed=23)
    hits = [
        any(
            s.start < (at := line.find(value)) + len(value) and s.end > at
            for s in screen.find(line)
        )
        for _, line, value in made
    ]
    theirs = peer("detect_secrets", [line for _, line, _ in made])
    recall, other = float(np.mean(hits)), float(np.mean(theirs))
    lines = everyday(5000 if quick else 50000)
    wrong = sum(bool(screen.find(line)) for line in lines)
    others = sum(peer("detect_secrets", lines))
    rate, their_rate = wrong / len(lines) * 10000, others / len(lines) * 10000
    missed = len(hits) - sum(hits)
    ends = [1 - upper_bound(missed, len(hits), 0.975), upper_bound(sum(hits), len(hits), 0.975)]
    return [
        row(f"secrets: recall on {len(made)} generated lines of {len({k for k, _, _ in made})} kinds", "detect-secrets 1.5.0", recall, other,
            interval=ends, must="at least 0.98", met=recall >= 0.98),
        row(f"secrets: false alarms per 10,000 of {len(lines)} everyday lines", "detect-secrets 1.5.0", rate, their_rate,
            must="at most 1", met=rate <= 1, interval=[0.0, upper_bound(wrong, len(lines), 0.975) * 10000]),
    ]  # fmt: skip


def latency(quick: bool) -> list[dict]:
    """Milliseconds of a text of 512 tokens through all rules and all learned filters."""
    heads = Heads.load()
    screen = Screen(frozenset({"personal", "secrets", "toxicity", "injection"}), heads)
    source = " ".join(
        r["text"] for r in rows("medquad", "validation")[:40] if "text" in r
    ) or " ".join(r["prompt"] + " " + r["response"] for r in rows("medquad", "validation")[:40])
    texts, at = [], 0
    while len(texts) < (10 if quick else 60) and at < len(source) - 4000:
        size = 2000
        while sum(len(w.ids) for w in heads.encoder.windows(source[at : at + size])) < 512:
            size += 40
        texts.append(source[at : at + size])
        at += 997
    for text in texts[:3]:
        screen.find(text)
    wall, spent = [], []
    for text in texts:
        began, used = time.perf_counter(), time.process_time()
        screen.find(text)
        wall.append((time.perf_counter() - began) * 1e3)
        spent.append((time.process_time() - used) * 1e3)
    slow, cpu = float(np.percentile(wall, 95)), float(np.percentile(spent, 95))
    published = "LLM Guard, one of its filters on m5.xlarge, published 86 to 213 ms"
    return [
        row("512 tokens, all rules and heads: p95 in ms", published, slow, 86.0, must="at most 50", aim="at most 25", met=slow <= 50),
        row("512 tokens, all rules and heads: p95 of CPU time in ms", published, cpu, None, must="—", met=True),
    ]  # fmt: skip


PARTS = {"latency": latency, "secrets": secrets, "personal": personal}


def keep(found: dict[str, list[dict]]) -> None:
    """Writes what was measured; parts that were not measured now keep their rows."""
    file = HERE / "results.json"
    before = json.loads(file.read_text()).get("parts", {}) if file.exists() else {}
    parts = {name: found.get(name, before.get(name, [])) for name in PARTS}
    asked = ["git", "rev-parse", "--short", "HEAD"]
    told = {
        "question": "What do the content filters find and flag wrongly, and how long do they take?",
        "command": "python bench/filters/run.py",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, busy with other work",
        "commit": subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip(),
        "rows": [line for rows_of_part in parts.values() for line in rows_of_part],
        "parts": parts,
    }
    file.write_text(json.dumps(told, indent=1) + "\n")


def main() -> None:
    """Measures, prints and, without --quick, keeps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=PARTS)
    asked = parser.parse_args()
    found = {n: part(asked.quick) for n, part in PARTS.items() if asked.only in (None, n)}
    for line in (line for rows_of_part in found.values() for line in rows_of_part):
        print(" | ".join(str(line[key]) for key in line))
    if not asked.quick:
        keep(found)


if __name__ == "__main__":
    main()
