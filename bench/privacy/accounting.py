"""Our accountant against Google's and Opacus's, in epsilon and in CPU seconds.

    python bench/privacy/accounting.py [--quick]   # writes accounting.json; --quick keeps nothing

Opacus is installed at the first call into bench/privacy/.env, which sees this environment's torch.
"""

from __future__ import annotations

import json
import site
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEPT = HERE / "accounting.json"
ENV = HERE / ".env"
# Noise, rate, steps, delta.
SETTINGS = [
    (0.865, 0.074, 135, 1e-5), (0.586, 0.0152, 394, 1e-5), (0.825, 0.0152, 394, 1.5e-5),
    (0.4, 6e-5, 51_562, 1e-6), (1.0, 0.01, 10_000, 1e-6), (2.0, 0.25, 400, 1e-6),
    (4.0, 0.5, 200, 1e-6), (0.7, 0.01, 3_000, 1e-7),
]  # fmt: skip
THEIRS = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from opacus.accountants import PRVAccountant
found = []
for noise, rate, steps, delta in json.load(sys.stdin):
    started = time.process_time()
    accountant = PRVAccountant()
    accountant.history = [(noise, rate, steps)]
    found.append((accountant.get_epsilon(delta), time.process_time() - started))
print(json.dumps(found))
"""


def main() -> None:
    """Measures every setting and writes the rows of the table."""
    settings = SETTINGS[:2] if "--quick" in sys.argv else SETTINGS
    ours, google, opacus = (
        [mine(*s) for s in settings],
        [plds(*s) for s in settings],
        prvs(settings),
    )
    for setting, a, b, c in zip(settings, ours, google, opacus, strict=True):
        print(setting, *(f"{e:.4f} in {s:.2f} s" for e, s in (a, b, c)), flush=True)
    rows = [
        *compared("Google dp-accounting 0.6 PLD", ours, google),
        *compared("Opacus 1.6 PRV", ours, opacus),
        calibration(settings),
    ]
    if "--quick" not in sys.argv:
        KEPT.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


def mine(noise: float, rate: float, steps: int, delta: float) -> tuple[float, float]:
    """Our epsilon and its CPU seconds."""
    from luthier.privacy.accountant import compose
    from luthier.privacy.event import Sampled

    started = time.process_time()
    found = compose([Sampled(noise, rate, steps)]).epsilon(delta)
    return found, time.process_time() - started


def plds(noise: float, rate: float, steps: int, delta: float) -> tuple[float, float]:
    """Google's epsilon and its CPU seconds."""
    import dp_accounting as dp
    from dp_accounting.pld import PLDAccountant

    started = time.process_time()
    accountant = PLDAccountant()
    once = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
    accountant.compose(dp.SelfComposedDpEvent(once, steps))
    return float(accountant.get_epsilon(delta)), time.process_time() - started


def prvs(settings: Any) -> list[tuple[float, float]]:
    """Opacus's epsilons and their CPU seconds, in its own environment."""
    python = ENV / "bin" / "python"
    if not python.exists():
        venv.create(ENV, with_pip=True)
        (folder,) = (ENV / "lib").glob("python*/site-packages")
        (folder / "torch.pth").write_text(site.getsitepackages()[0] + "\n", encoding="utf-8")
        need = ["--no-deps", "opacus==1.6.0", "opt_einsum"]
        subprocess.run([python, "-m", "pip", "install", "-q", *need], check=True)
    done = subprocess.run([python, "-c", THEIRS], input=json.dumps(settings), text=True,
                          capture_output=True, check=True)  # fmt: skip
    return [(e, s) for e, s in json.loads(done.stdout.splitlines()[-1])]


def compared(peer: str, ours: Any, theirs: Any) -> list[dict[str, Any]]:
    """Largest difference in epsilon, and median CPU seconds."""
    gaps = [abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True)]
    far = max(gaps)
    mine, other = sorted(s for _, s in ours), sorted(s for _, s in theirs)
    own, peers = mine[len(mine) // 2], other[len(other) // 2]
    return [
        row(f"epsilon, largest difference over {len(ours)} settings", peer, far, None, None,
            [min(gaps), far], "at most 0.02", "at most 0.01", far <= 0.02),
        row("price of one training, CPU seconds, median", peer, own, peers, peers / own,
            [mine[0], mine[-1]], "—", "at most 0.5", own <= 0.5),
    ]  # fmt: skip


def calibration(settings: Any) -> dict[str, Any]:
    """CPU seconds to find the noise of a wanted epsilon."""
    from luthier.privacy.accountant import calibrate

    spent = []
    for _, rate, steps, delta in settings:
        started = time.process_time()
        calibrate(8.0, delta, rate, steps)
        spent.append(time.process_time() - started)
    spent.sort()
    middle = spent[len(spent) // 2]
    return row("noise for epsilon 8, CPU seconds, median", "—", middle, None, None,
               [spent[0], spent[-1]], "—", "at most 3", middle <= 3)  # fmt: skip


def row(what: str, peer: str, ours: float, theirs: Any, ratio: Any, interval: Any, must: str,
        aim: str, met: bool) -> dict[str, Any]:  # fmt: skip
    """A line of the table."""
    return {"what": what, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio,
            "interval": interval, "must": must, "aim": aim, "met": met}  # fmt: skip


if __name__ == "__main__":
    main()
