"""Writes bench/README.md from every bench/<question>/results.json.

python bench/gather.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HEAD = "| what | against | ours | theirs | ratio | interval | must | aim | met |"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

INTRODUCTION = """# Measurements

Each folder asks one question and answers it with numbers that can be repeated: a README, `run.py`
(with `--quick`) and `results.json`. Other libraries are installed by the measurement into an
environment of their own. Lines that were lost stay in the table. This page is written by
`python bench/gather.py`.
"""


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [HEAD, "|" + "---|" * HEAD.count(" | ") + "---|"]
    for row in rows:
        ends = row["interval"]
        cells = [
            row["what"],
            row["peer"],
            number(row["ours"]),
            number(row["theirs"]),
            number(row["ratio"]),
            f"{number(ends[0])} to {number(ends[1])}" if ends else "—",
            row["must"],
            row["aim"],
            "yes" if row["met"] else "**no**",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    """A number with four figures at most."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def between(text: str, content: str) -> str:
    """`text` with what lies between the two marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def main() -> None:
    """Writes the tables into the page and into each question's own README."""
    parts = [INTRODUCTION]
    for file in sorted(HERE.glob("*/results.json")):
        about = json.loads(file.read_text(encoding="utf-8"))
        name = file.parent.name
        facts = f"{about['date']}, commit {about['commit']}, {about['machine']}."
        command = f"`{about['command']}`"
        content = f"{table(about['rows'])}\n\n{facts} Command: {command}."
        parts.append(f"## [{name}]({name}/README.md)\n\n{about['question']}\n\n{content}\n")
        readme = file.parent / "README.md"
        if readme.exists() and BEGIN in (text := readme.read_text(encoding="utf-8")):
            readme.write_text(between(text, content), encoding="utf-8")
    (HERE / "README.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
