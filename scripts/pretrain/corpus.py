"""Corpus of the embedded model: public train splits with a held-out part."""

import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pretrain.sources import (
    Document,
    Row,
    build_aci_bench,
    build_contract_nli,
    build_covid_qa,
    build_cuad,
    build_evidence,
    build_gsm8k,
    build_medquad,
    build_movie_reviews,
    build_mts_dialog,
    build_oasst,
    build_self_instruct,
    build_sentfin,
    build_shakespeare_roles,
    build_snips,
    build_taskmaster,
    build_tatqa,
    build_tinyshakespeare,
    intent_builder,
)


@dataclass(frozen=True)
class Source:
    """A data set: how its rows become documents, its size cap and how often it is repeated."""

    name: str
    build: Callable[[list[Row], random.Random], Iterator[Document]]
    max_bytes: int
    repeat: int = 1


SOURCES = (
    Source("medquad", build_medquad, 4_500_000),
    Source("movie_reviews", build_movie_reviews, 4_000_000),
    Source("gsm8k", build_gsm8k, 4_000_000),
    Source("cuad_clauses", build_cuad, 1_200_000),
    Source("covid_qa", build_covid_qa, 1_200_000),
    Source("evidence_inference", build_evidence, 1_200_000),
    Source("tinyshakespeare", build_tinyshakespeare, 1_200_000),
    Source("shakespeare_roles", build_shakespeare_roles, 1_200_000),
    Source("mts_dialog", build_mts_dialog, 1_200_000),
    Source("taskmaster4_coffee", build_taskmaster, 900_000),
    Source("snips", build_snips, 240_000),
    Source("aci_bench", build_aci_bench, 800_000),
    Source("tatqa", build_tatqa, 800_000),
    Source("sentfin", build_sentfin, 700_000),
    Source("contract_nli", build_contract_nli, 500_000),
    Source("clinc150", intent_builder("clinc150"), 500_000),
    Source("banking77", intent_builder("banking77"), 400_000),
    Source("oasst_sample", build_oasst, 400_000, repeat=2),
    Source("self_instruct_seed", build_self_instruct, 400_000, repeat=3),
)


def document_bytes(document: Document) -> int:
    """Size of a document's text without template tokens."""
    if isinstance(document.content, str):
        return len(document.content.encode())
    return sum(len((message["content"] or "").encode()) for message in document.content)


def load_corpus(
    data: Path, seed: int = 13, held_out: float = 0.01
) -> tuple[list[Document], list[Document]]:
    """Read every source and return its documents as (train, validation).

    Whole groups are set apart, ``held_out`` of each source and at least one, so that passages of
    one paper, contract or dialogue never lie on both sides. The validation part takes as many of
    their documents as make up the same share of the source, and at least two.
    """
    train: list[Document] = []
    validation: list[Document] = []
    for source in SOURCES:
        lines = (data / source.name / "train.jsonl").read_text(encoding="utf-8").split("\n")
        rng = random.Random(f"{seed}-{source.name}")
        documents = list(source.build([json.loads(line) for line in lines if line], rng))
        rng.shuffle(documents)
        kept, size = [], 0
        for document in documents:
            size += document_bytes(document)
            if size > source.max_bytes:
                break
            kept.append(document)
        groups = sorted(
            {document.group for document in kept}, key=lambda name: zlib.crc32(name.encode())
        )
        chosen = set(groups[: max(1, round(held_out * len(groups)))])
        apart = [document for document in kept if document.group in chosen]
        validation += apart[: max(2, round(held_out * len(kept)))]
        train += [document for document in kept if document.group not in chosen] * source.repeat
    return train, validation
