"""A stand-in for a private run: it charges an update, then makes it, until it is killed.

python ledger_child.py LEDGER DATASET RELEASED
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from luthier.privacy.charge import SAMPLED, Charge
from luthier.privacy.ledger import Ledger


def main() -> None:
    """Each update adds one byte to the file RELEASED, for good."""
    ledger = Ledger.open(Path(sys.argv[1]), sys.argv[2])
    with Path(sys.argv[3]).open("ab", buffering=0) as released:
        print("ready", flush=True)
        while True:
            ledger.charge(Charge("killed", SAMPLED, 1.0, 0.01, 1))
            released.write(b".")
            os.fsync(released.fileno())


if __name__ == "__main__":
    main()
