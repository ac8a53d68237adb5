"""All detectors, and what they find together."""

from __future__ import annotations

from luthier.safety.detector import Detector, Evidence, Suspicion
from luthier.safety.detectors.conflicts import ConflictingCopies
from luthier.safety.detectors.flipped import FlippedLabels
from luthier.safety.detectors.identity import IdentityShift
from luthier.safety.detectors.spectral import SpectralSignature
from luthier.safety.detectors.surprise import SurprisingTexts
from luthier.safety.detectors.triggers import PlantedTriggers

DETECTORS: tuple[Detector, ...] = (
    PlantedTriggers(),
    ConflictingCopies(),
    FlippedLabels(),
    IdentityShift(),
    SpectralSignature(),
    SurprisingTexts(),
)


def suspicions(evidence: Evidence) -> tuple[list[Suspicion], dict[str, str]]:
    """What every detector finds, and why the others could not look, by name."""
    found: list[Suspicion] = []
    silent: dict[str, str] = {}
    for detector in DETECTORS:
        reason = detector.lacks(evidence)
        if reason:
            silent[detector.name] = reason
        else:
            found += detector.find(evidence)
    return found, silent
