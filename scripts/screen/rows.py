"""Rows for the heads of the content filters: invented values in written and published frames.

    python scripts/screen/rows.py DATA OUT     (needs Faker; DATA holds the published sets)

Values of the published personal-data set are never used: its frames are filled anew, and values
that occur in its held-out parts are forbidden.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from values import Values

HERE = Path(__file__).parent
SLOT = re.compile(r"\{([A-Z_]+)\}")
SHORT = {
    "STREET_ADDRESS": "address", "ZIP_CODE": "address", "GPE": "place", "PERSON": "person",
    "ORGANIZATION": "organisation", "TITLE": "title", "NRP": "group", "AGE": "age",
    "DATE_TIME": "date", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "contact", "ID": "number",
    "DOMAIN_NAME": "contact", "IP_ADDRESS": "contact", "CREDIT_CARD": "number",
    "IBAN_CODE": "number", "US_SSN": "number", "US_DRIVER_LICENSE": "number",
}  # fmt: skip
Piece = tuple[str, str | None]


def read(file: Path) -> list[dict]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def frame_of(row: dict) -> list[Piece]:
    """A row as pieces of text: what stands outside spans, and the kinds of the spans."""
    pieces: list[Piece] = []
    at = 0
    for start, end, kind in row["spans"]:
        pieces += [(row["text"][at:start], None), ("", kind)]
        at = end
    return [*pieces, (row["text"][at:], None)]


def written_frames() -> list[list[Piece]]:
    """The frames of `templates.txt`."""
    frames = []
    for line in (HERE / "templates.txt").read_text(encoding="utf-8").splitlines():
        parts = SLOT.split(line.replace("\\n", "\n").replace("\\t", "\t"))
        frames.append([(p, None) if i % 2 == 0 else ("", p) for i, p in enumerate(parts)])
    return frames


def fill(frame: list[Piece], values: Values) -> dict:
    """A row from a frame with fresh values; some rows in lower or upper case."""
    chance = values.random.random()
    text, spans = "", []
    for said, kind in frame:
        piece = said if kind is None else values.draw(kind)
        if chance < 0.12 and len(piece.lower()) == len(piece):
            piece = piece.lower()
        elif chance < 0.15 and len(piece.upper()) == len(piece):
            piece = piece.upper()
        if kind is not None and piece:
            spans.append([len(text), len(text) + len(piece), SHORT[kind]])
        text += piece
    return {"text": text, "spans": spans}


def filings(data: Path) -> Iterator[dict]:
    """Loan agreements; roles such as Borrower are no persons here."""
    names = {"PER": "person", "ORG": "organisation", "LOC": "place"}
    for row in read(data / "sec_filings_ner" / "train.jsonl"):
        spans = [[s, e, names[k]] for s, e, k in row["spans"] if k in names]
        role = {"borrower", "lender", "company", "bank", "agent"}
        yield {"text": row["text"], "spans": [s for s in spans if not role & {row["text"][s[0]:s[1]].lower()}]}  # fmt: skip


def assistant(data: Path, count: int, chance: random.Random) -> Iterator[dict]:
    """Requests to an assistant whose slots name places, restaurants and times only."""
    names = {"city": "place", "state": "place", "country": "place", "restaurant_name": "organisation"}  # fmt: skip
    never = {"artist", "track", "album", "playlist", "entity_name", "object_name", "movie_name",
             "geographic_poi", "poi", "current_location", "playlist_owner", "timeRange", "year"}  # fmt: skip
    rows = read(data / "snips" / "train.jsonl")
    chance.shuffle(rows)
    kept = (r for r in rows if not never & {k for _, _, k in r["spans"]})
    for _, row in zip(range(count), kept, strict=False):
        yield {"text": row["text"], "spans": [[s, e, names[k]] for s, e, k in row["spans"] if k in names]}  # fmt: skip


def harmless(data: Path, count: int, chance: random.Random) -> Iterator[dict]:
    """Questions to a bank and sentences of medical abstracts: no personal data."""
    for name, share in (("banking77", 0.5), ("bc5cdr_ner", 0.5)):
        rows = read(data / name / "train.jsonl")
        chance.shuffle(rows)
        for row in rows[: int(count * share)]:
            yield {"text": row["text"], "spans": []}


def forbidden(data: Path) -> frozenset[str]:
    """Values of the held-out parts of the published set, in lower case."""
    held = [r for p in ("validation", "test") for r in read(data / "presidio_pii" / f"{p}.jsonl")]
    found = {r["text"][s:e].lower() for r in held for s, e, k in r["spans"]
             if k in ("PERSON", "STREET_ADDRESS", "GPE", "ORGANIZATION")}  # fmt: skip
    return frozenset(found)


def main(data: Path, out: Path, repeats: int = 24) -> None:
    """Writes train and validation rows into `out`."""
    chance, values = random.Random(13), Values(13, forbidden(data))
    frames: dict[str, list[Piece]] = {}
    for row in read(data / "presidio_pii" / "train.jsonl"):
        frames.setdefault(row["group"], frame_of(row))
    rows = [fill(f, values) for f in frames.values() for _ in range(repeats)]
    rows += [fill(f, values) for f in written_frames() for _ in range(repeats)]
    rows += [*filings(data), *assistant(data, 1200, chance), *harmless(data, 1600, chance)]
    chance.shuffle(rows)
    held = len(rows) // 20
    out.mkdir(parents=True, exist_ok=True)
    for name, part in (("validation", rows[:held]), ("train", rows[held:])):
        lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in part)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    print(len(rows), "rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
