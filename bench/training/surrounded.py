"""A bench that runs where its peers are: an environment of its own that sees ours too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def with_peers(place: Path, *packages: str) -> None:
    """Starts this script again in `place/.env`, made at the first call, unless peers are here."""
    if all(importlib.util.find_spec(name) for name in packages):
        return
    env = place / ".env"
    python = env / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", *packages]
    if Path(sys.prefix) == env:
        # Made before this peer was added.
        subprocess.run(install, check=True)
        importlib.invalidate_caches()
        return
    if not python.exists():
        venv.create(env, with_pip=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        shared = env / "lib" / version / "site-packages" / "shared.pth"
        source = place.parents[1] / "src"
        shared.write_text(f"{sysconfig.get_paths()['purelib']}\n{source}\n", encoding="utf-8")
        subprocess.run(install, check=True)
    os.execv(python, [str(python), "-W", "ignore", *sys.argv])
