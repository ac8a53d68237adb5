"""Members of the doctor's family of checks."""

from luthier.stages.checks.check import Check, Verdict

__all__ = ["Check", "Verdict"]
