"""Where runs and caches lie when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "LUTHIER_HOME"


def default_home() -> Path:
    """$LUTHIER_HOME, or `.luthier` in the user's folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".luthier"
