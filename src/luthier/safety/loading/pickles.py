"""Pickled weights turned into safetensors by a child process that may do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from luthier.core.errors import FixModel
from luthier.core.files import write_bytes
from luthier.models.files import check_safetensors

SECONDS, MEMORY_GB, FILE_GB = 600, 64, 64
"""What the child may spend at most."""

_CHILD = """
import ctypes, resource, socket, sys

# A network namespace of its own where the system allows it (CLONE_NEWUSER, CLONE_NEWNET).
if sys.platform == "linux":
    ctypes.CDLL(None).unshare(0x10000000 | 0x40000000)
import torch
from safetensors.torch import save_file

def closed(*given, **named):
    raise OSError("the network is closed here")

socket.socket = socket.create_connection = closed
for what, most in (
    (resource.RLIMIT_CPU, {seconds}),
    (resource.RLIMIT_FSIZE, {file}),
    (resource.RLIMIT_AS, {memory}),
    (resource.RLIMIT_CORE, 0),
):
    hard = resource.getrlimit(what)[1]
    top = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (top, top))
# No program may be started from here on; libraries have started what they need.
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
loaded = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
loaded = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else loaded
if not isinstance(loaded, dict) or not all(isinstance(v, torch.Tensor) for v in loaded.values()):
    raise SystemExit("it holds other things than tensors by name")
# Tied weights share memory, which safetensors refuses; each gets its own.
save_file({{n: t.contiguous().clone() for n, t in loaded.items()}}, sys.argv[2])
"""


def convert(file: Path, out: Path, place: str = "") -> Path:
    """Writes the tensors of a pickled file as the safetensors file `out`; errors name `place`, or
    the file where there is none.

    A child process without network, with limits on time, memory and file size, reads the pickle
    with `weights_only=True`, which runs no code of the file. `out` appears whole or not at all.

    Raises: FixModel when the file holds anything but tensors, or a limit is reached; FreeDisk.
    """
    place = place or str(file)
    if not file.is_file():
        raise FixModel(place, "there is no such file", "a file with pickled weights")
    if out.exists():
        raise FixModel(str(out), "it is there already", "a file that does not exist yet")
    text = _CHILD.format(seconds=SECONDS, file=FILE_GB << 30, memory=MEMORY_GB << 30)
    temporary = out.with_name(f".{out.name}.converting")
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "HOME", "LD_LIBRARY_PATH")}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", text, str(file.resolve()), str(temporary.resolve())],
            env=keep | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )
        if done.returncode:
            raise FixModel(
                place, _reason(done.stderr, _begins_so(file)), "a file of tensors and nothing else"
            )
        check_safetensors(temporary)
        write_bytes(out, temporary.read_bytes())
    except subprocess.TimeoutExpired as error:
        raise FixModel(place, "reading it took too long") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _begins_so(file: Path) -> bool:
    """Whether a file begins as an archive of weights or as a pickle does."""
    with file.open("rb") as stream:
        return stream.read(2).startswith((b"PK", b"\x80"))


def _reason(said: str, begins_so: bool) -> str:
    if not begins_so:
        return "it is no file of pickled weights, or a damaged one"
    if "Unsupported global" in said or "WeightsUnpickler" in said or "weights_only" in said:
        return "it is a pickle that would run code; nothing of it was run"
    last = (said.strip().splitlines() or ["the child ended without a word"])[-1]
    return f"it cannot be read as weights ({last[:120]})"
