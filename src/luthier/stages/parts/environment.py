"""What a result depends on beside recipe and data: code, packages, machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import psutil

import luthier

PACKAGES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "numpy", "scikit-learn")


def environment() -> dict[str, str]:
    """Versions and machine, as strings by name."""
    found = {
        "luthier": luthier.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    import torch

    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found
