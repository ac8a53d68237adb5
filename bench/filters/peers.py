"""What the peers find; run by the interpreter of their environment: peers.py NAME IN OUT."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def presidio(texts: list[str]) -> list[list[tuple[int, int]]]:
    """Presidio's analyser with what installs without a network: no language model of spaCy."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}

    analyser = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
    return [[(f.start, f.end) for f in analyser.analyze(t, language="en")] for t in texts]


def detect_secrets(lines: list[str]) -> list[bool]:
    """Whether detect-secrets with its default plugins flags each line."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings

    with default_settings():
        return [any(True for _ in scan_line(line)) for line in lines]


if __name__ == "__main__":
    name, source, target = sys.argv[1:4]
    asked = json.loads(Path(source).read_text(encoding="utf-8"))
    Path(target).write_text(
        json.dumps({"presidio": presidio, "detect_secrets": detect_secrets}[name](asked))
    )
