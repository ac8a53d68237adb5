"""Which number formats this machine can train in, and how fast.

A format that the processor or driver can't do may kill the whole process by an illegal
instruction, so every format is tried in a child process, once per machine and torch version.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from luthier.core.files import write_json
from luthier.core.hashing import hash_value
from luthier.core.home import default_home

DTYPES = ("float32", "bfloat16", "float16")
WORTH = 1.2
"""A smaller format must be so many times faster than float32, as it is less exact."""
_CARDS = ("nvidia*", "nvmap", "nvhost*", "dxg", "kfd")
"""Device files of graphics cards that torch calls cuda."""
_PATIENCE_S = 120.0
_MEASURE_S = 0.25
_CHILD = "from luthier.models.probe import measure; measure({device!r}, {dtypes!r})"


@dataclass(frozen=True)
class ProbeResult:
    """What one number format did: whether it works, its speed, or why it failed.

    `gflops` is GFLOP/s of one core on a CPU, of the whole card on a GPU.
    """

    works: bool
    gflops: float | None = None
    reason: str = ""


def probe_precision(
    device: str = "cpu", dtypes: Sequence[str] = DTYPES, patience_s: float = _PATIENCE_S
) -> dict[str, ProbeResult]:
    """Each of `dtypes` with its result on `device`, measured in child processes.

    One child tries the formats in turn; if it dies, the format at work is marked and another
    child goes on with the rest.
    """
    results: dict[str, ProbeResult] = {}
    while left := [name for name in dtypes if name not in results]:
        results |= _one_child(device, left, patience_s)
    return {name: results[name] for name in dtypes}


def load_probe(
    device: str, home: Path | None = None, fresh: bool = False
) -> dict[str, ProbeResult]:
    """The results kept under `home` for this machine, measured first where they are missing.

    Raises: FreeDisk when `home` can't be written.
    """
    path = _place(device, home)
    kept = None if fresh else _read(path)
    if kept is not None:
        return kept
    results = probe_precision(device)
    write_json(path, {name: asdict(result) for name, result in results.items()})
    return results


def best_precision(device: str, home: Path | None = None) -> str:
    """The number format to train in: the fastest that works and is worth it, else float32.

    bfloat16 goes before float16, whose narrow range lets small gradients vanish. On a processor it
    is float32: fast products in 16 bits alone do not make fast updates, and they are coarser.
    """
    return known_precision(device, home) or _fastest(load_probe(device, home))


def known_precision(device: str, home: Path | None = None) -> str | None:
    """`best_precision` where it is known without measuring, else None."""
    if device == "cpu":
        return "float32"
    kept = _read(_place(device, home))
    return _fastest(kept) if kept is not None else None


def may_have_cuda() -> bool:
    """Whether torch might find a graphics card here, as far as the system tells without torch."""
    if platform.system() == "Darwin" or _torch_version().endswith("+cpu"):
        return False
    if platform.system() != "Linux":
        return True
    places = Path("/dev")
    return any(any(places.glob(pattern)) for pattern in _CARDS)


def _fastest(results: dict[str, ProbeResult]) -> str:
    plain = results["float32"].gflops or 0.0
    for name in ("bfloat16", "float16"):
        speed = results[name].gflops
        if results[name].works and speed is not None and speed >= WORTH * plain:
            return name
    return "float32"


def _one_child(device: str, dtypes: list[str], patience_s: float) -> dict[str, ProbeResult]:
    command = [sys.executable, "-c", _CHILD.format(device=device, dtypes=dtypes)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience_s * len(dtypes))
        output, code, errors = done.stdout, done.returncode, done.stderr
    except subprocess.TimeoutExpired as late:
        output, code, errors = late.stdout or b"", None, b""
    results = dict(_answers(output))
    missing = [name for name in dtypes if name not in results]
    if missing:
        results[missing[0]] = ProbeResult(False, reason=_how_it_ended(code, errors))
    return results


def _answers(output: bytes) -> Iterator[tuple[str, ProbeResult]]:
    for line in output.decode(errors="replace").splitlines():
        if line.startswith('{"dtype"'):
            answer = json.loads(line)
            yield answer.pop("dtype"), ProbeResult(**answer)


def _how_it_ended(code: int | None, errors: bytes) -> str:
    if code is None:
        return "no answer in time"
    if code < 0:
        return f"the process was killed by signal {-code}"
    last = errors.decode(errors="replace").strip().splitlines()
    return last[-1][:200] if last else f"the process ended with code {code}"


def _read(path: Path) -> dict[str, ProbeResult] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results = {name: ProbeResult(**value) for name, value in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # A lost or foreign file costs one more measurement, nothing else.
        return None
    return results if set(results) == set(DTYPES) else None


def _place(device: str, home: Path | None) -> Path:
    return (home or default_home()) / "probe" / f"{_machine_key(device)}.json"


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "none"


def _machine_key(device: str) -> str:
    facts = [device, _torch_version(), platform.machine(), platform.system(), os.cpu_count()]
    return hash_value([*facts, _processor(), _graphics()])[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    wanted = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return "\n".join(sorted(set(wanted)))


def _graphics() -> list[str]:
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    models = [
        line.partition(":")[2].strip()
        for card in cards
        for line in card.read_text(errors="replace").splitlines()
        if line.startswith("Model")
    ]
    return [*models, os.environ.get("CUDA_VISIBLE_DEVICES", "")]


def measure(device: str, dtypes: Sequence[str]) -> None:
    """Runs in the child: one line of JSON on standard output for each number format."""
    import torch

    for name in dtypes:
        answer: dict[str, Any] = {"dtype": name}
        try:
            answer |= {"works": True, "gflops": _speed(device, getattr(torch, name))}
        except (RuntimeError, NotImplementedError, AssertionError, ArithmeticError) as error:
            answer |= {"works": False, "reason": str(error).split("\n")[0][:200] or "it fails"}
        print(json.dumps(answer), flush=True)


def _speed(device: str, dtype: Any) -> float:
    """Speed of a feed-forward block, forward and backward, after checking its numbers.

    Raises: ArithmeticError when the output is far from float32's.
    """
    import time

    import torch

    # One core: on a busy machine threads wait for each other and the comparison is lost.
    torch.set_num_threads(1)
    rows, width = (4096, 4096) if device.startswith("cuda") else (128, 256)
    torch.manual_seed(0)
    block = torch.nn.Sequential(
        torch.nn.LayerNorm(width),
        torch.nn.Linear(width, 4 * width),
        torch.nn.GELU(),
        torch.nn.Linear(4 * width, width),
    ).to(device)
    rows_in = torch.randn(rows, width, device=device)
    expected = block(rows_in).detach()
    block, rows_in = block.to(dtype), rows_in.to(dtype)
    error = (block(rows_in).float() - expected).abs().max() / expected.abs().max()
    if not bool(error < 0.05):
        raise ArithmeticError(f"its results are off by {float(error):.0%}")
    seconds: list[float] = []
    while len(seconds) < 2 or (sum(seconds) < _MEASURE_S and len(seconds) < 50):
        start = time.perf_counter()
        block(rows_in).float().square().mean().backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return round(3 * 2 * rows * 8 * width * width / min(seconds) / 1e9, 1)
