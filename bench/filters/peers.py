"""What the peers find; run by the interpreter of their environment: peers.py NAME IN OUT."""

from __future__ import annotations

import json
import sys
import tempfile
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
    """Whether detect-secrets with its default plugins and filters flags each line of a file."""
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    with tempfile.TemporaryDirectory() as folder, default_settings():
        file = Path(folder) / "lines.txt"
        file.write_text("\n".join(line.replace("\n", " ") for line in lines), encoding="utf-8")
        found = SecretsCollection()
        found.scan_file(str(file))
        flagged = {secret.line_number for _, secret in found}
    return [number in flagged for number in range(1, len(lines) + 1)]


if __name__ == "__main__":
    name, source, target = sys.argv[1:4]
    asked = json.loads(Path(source).read_text(encoding="utf-8"))
    Path(target).write_text(
        json.dumps({"presidio": presidio, "detect_secrets": detect_secrets}[name](asked))
    )
