"""Two processes that share a private batch learn what one learns: one draw, one noise."""

from __future__ import annotations

from pathlib import Path

import pytest
from launch import torchrun
from private_process import main
from safetensors.torch import load_file

from tiny import furthest, same_bits

SCRIPT = Path(__file__).with_name("private_process.py")


@pytest.mark.slow
def test_two_private_processes_equal_one(bert: Path, tmp_path: Path) -> None:
    done = torchrun([str(SCRIPT), str(bert), str(tmp_path)])
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(str(tmp_path / f"rank{r}of2.safetensors")) for r in (0, 1))
    assert same_bits(first, second)
    main(str(bert), str(tmp_path))
    assert furthest(load_file(str(tmp_path / "rank0of1.safetensors")), first) < 1e-6
