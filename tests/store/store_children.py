"""Processes that use a store beside the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_OPEN = """
import json, os, sys
from pathlib import Path
from luthier.core.types import Interval
from luthier.store.artefacts import Artefacts
from luthier.store.journal import Journal
from luthier.store.store import CurvePoint, Store
url, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
store = Store.open(url, folder)
"""


def start(body: str, url: str | None, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that opens the store as `store` and does `body`; arguments follow from argv[3]."""
    import json

    return subprocess.Popen(
        [sys.executable, "-c", _OPEN + body, json.dumps(url), str(folder), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What a process has printed, after it ended well."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out
