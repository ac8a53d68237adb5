"""Number formats, GPU and attention kernels, each tried in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.models.probe import WORTH, ProbeResult, load_probe
from luthier.stages.checks.check import Check, fail, ok, warn

_CHILD = "from luthier.stages.checks.tensors import describe; describe()"
_PATIENCE_S = 180


@dataclass(frozen=True)
class Tensors:
    """What torch says about itself; `fault` where it could not even be imported."""

    version: str = ""
    gpus: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    built_for: str = ""
    fault: str = ""

    @property
    def device(self) -> str:
        """Where training would happen."""
        return "cuda" if self.gpus else "cpu"


def look_at_tensors() -> Tensors:
    """What torch says in a child process, which a broken driver may kill."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD], capture_output=True, timeout=_PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return Tensors(fault=f"torch was not imported within {_PATIENCE_S} s")
    lines = done.stdout.decode(errors="replace").splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        cause = f"killed by signal {-done.returncode}" if done.returncode < 0 else ""
        return Tensors(fault=cause or (said[-1][:200] if said else "no answer"))
    facts = json.loads(lines[-1])
    return Tensors(facts["version"], tuple(facts["gpus"]), tuple(facts["kernels"]), facts["built"])


def check_tensors(found: Tensors) -> list[Check]:
    """Torch, GPU and attention kernels."""
    if found.fault:
        return [fail("torch", found.fault, "reinstall torch for this machine")]
    checks = [ok("torch", f"{found.version}, built for {found.built_for or 'cpu'}")]
    if found.gpus:
        checks.append(ok("gpu", "; ".join(found.gpus)))
    elif Path("/proc/driver/nvidia/version").exists():
        advice = "install a torch that is built for CUDA, and check the driver"
        checks.append(warn("gpu", "there is an NVIDIA driver, but torch sees no GPU", advice))
    else:
        checks.append(ok("gpu", "none; training happens on the processor"))
    checks.append(ok("attention", ", ".join(found.kernels)))
    return checks


def check_formats(device: str, home: Path, fresh: bool) -> list[Check]:
    """One check for each number format on `device`."""
    results = load_probe(device, home, fresh)
    plain = results["float32"].gflops or 0.0
    return [_format(name, result, plain) for name, result in results.items()]


def _format(name: str, result: ProbeResult, plain: float) -> Check:
    if not result.works:
        if name == "float32":
            return fail(name, result.reason, "reinstall torch for this machine")
        return warn(name, f"does not work: {result.reason}", "leave model.precision at auto")
    speed = result.gflops or 0.0
    seen = f"works, {speed:,.1f} GFLOP/s"
    if name != "float32" and plain:
        seen += f", {speed / plain:.2f} times float32"
        if speed < WORTH * plain:
            seen += "; not worth it here"
    return ok(name, seen)


def describe() -> None:
    """Runs in the child: one line of JSON about torch."""
    import torch

    gpus = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(index)
        gib = facts.total_memory / (1 << 30)
        gpus.append(f"{facts.name}, {gib:.0f} GiB, compute {facts.major}.{facts.minor}")
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "cpu"
    answer: dict[str, Any] = {
        "version": torch.__version__,
        "gpus": gpus,
        "kernels": _kernels(bool(gpus)),
        "built": built,
    }
    print(json.dumps(answer), flush=True)


def _kernels(gpu: bool) -> list[str]:
    """The attention kernels that ran a small forward and backward pass."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    device, dtype = ("cuda", torch.bfloat16) if gpu else ("cpu", torch.float32)
    working = []
    for backend in (
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ):
        vector = torch.ones(1, 2, 16, 32, device=device, dtype=dtype, requires_grad=True)
        try:
            with sdpa_kernel(backend):
                out = torch.nn.functional.scaled_dot_product_attention(vector, vector, vector)
                out.float().sum().backward()
        except RuntimeError:
            continue
        working.append(backend.name.lower().replace("_attention", ""))
    return [*working, *_separate_package()]


def _separate_package() -> list[str]:
    from importlib.util import find_spec

    return ["flash_attn package"] if find_spec("flash_attn") is not None else []
