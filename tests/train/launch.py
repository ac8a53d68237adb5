"""Starts a script or module in several processes, as a person does with torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = str(Path(__file__).parent.parent)


def torchrun(arguments: Sequence[str], processes: int = 2) -> subprocess.CompletedProcess[str]:
    """What became of it: exit status, and what all processes wrote."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": TESTS}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
