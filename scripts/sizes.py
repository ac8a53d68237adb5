"""Refuses files, functions, classes and folders that outgrow the house's limits.

    python scripts/sizes.py

Exceptions stand in scripts/sizes_allowed.txt, one per line: `path[:name] reason`.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE, FUNCTION, CLASS, PARAMETERS, FOLDER = 300, 60, 200, 7, 15


def findings() -> list[tuple[str, str]]:
    """Place and complaint of everything that is too large."""
    found: list[tuple[str, str]] = []
    folders: Counter[Path] = Counter()
    for file in sorted((ROOT / "src").rglob("*.py")):
        folders[file.parent] += 1
        text = file.read_text(encoding="utf-8")
        place = str(file.relative_to(ROOT))
        lines = text.count("\n")
        if lines > FILE:
            found.append((place, f"{lines} lines, at most {FILE}"))
        found += [(f"{place}:{name}", what) for name, what in _inside(ast.parse(text))]
    for folder, files in folders.items():
        if files > FOLDER:
            found.append((str(folder.relative_to(ROOT)), f"{files} files, at most {FOLDER}"))
    return found


def _inside(tree: ast.Module) -> list[tuple[str, str]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            size = (node.end_lineno or 0) - node.lineno + 1
            if size > CLASS:
                found.append((node.name, f"{size} lines, at most {CLASS}"))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.lineno + 1
            if size > FUNCTION:
                found.append((node.name, f"{size} lines, at most {FUNCTION}"))
            names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([a for a in names if a.arg not in ("self", "cls")])
            if count > PARAMETERS:
                found.append((node.name, f"{count} parameters, at most {PARAMETERS}"))
    return found


def main() -> int:
    """Prints what is too large and not excepted; 1 when there is any."""
    listed = ROOT / "scripts" / "sizes_allowed.txt"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    allowed = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    wrong = [(place, what) for place, what in findings() if place not in allowed]
    for place, what in wrong:
        print(f"{place}: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
