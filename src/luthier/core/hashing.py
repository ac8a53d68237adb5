"""Content hashes: the same bytes or the same value give the same name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises: OSError when the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_path(path: Path) -> str:
    """SHA-256 of a file, or of a folder's relative names and contents in sorted order."""
    if path.is_file():
        return hash_file(path)
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(str(part.relative_to(path)).encode() + b"\0" + hash_file(part).encode())
    return digest.hexdigest()


def hash_value(value: Any) -> str:
    """SHA-256 of a JSON-ready value; the order of mapping keys does not matter.

    Raises: TypeError for a value JSON cannot hold.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
