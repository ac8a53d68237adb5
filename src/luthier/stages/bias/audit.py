"""`luthier audit --bias`: what a model says differently about different people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.explain.attribution import Question
from luthier.explain.attributions.build import member_of
from luthier.explain.bias.finding import Finding, corrected
from luthier.explain.bias.flips import flips
from luthier.explain.bias.groups import by_terms, by_values, measured
from luthier.explain.bias.mass import mass
from luthier.explain.bias.probe import Probe, swaps
from luthier.explain.bias.probed import probed
from luthier.explain.bias.questions import leanings, read_questions
from luthier.explain.bias.stereotypes import preferences, read_pairs
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon, read_terms
from luthier.explain.passages import passages_of
from luthier.explain.subject import Subject
from luthier.stages.bias.asked import Asked, Rows, choices, test_rows
from luthier.stages.bias.asking import answers_to
from luthier.stages.bias.likelihood import log_likelihoods
from luthier.stages.bias.measuring import SENTENCES, answered, probes_of
from luthier.stages.bias.reading import Reader
from luthier.stages.bias.show import show_bias
from luthier.stages.bias.words import sentences_of
from luthier.stages.explaining.judging import kept_verdict, suited
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.workshop import pad_id
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord

FILE = "bias.json"
MASS_TEXTS = 60
MASS_METHOD = "gradient"


def audit_bias(record: RunRecord, asked: Asked, progress: Progress) -> dict[str, Any]:
    """Everything that was measured, JSON-ready; also kept as bias.json and on the report.

    Raises: CheckRun for a run that is not finished, has another task, or held no rows out; FixData
    for files that cannot be read; FixRecipe for what does not go together.
    """
    record.refuse_unfinished()
    tuned = open_tuned(record.path, progress)
    told: dict[str, Any] = {"run": record.id, "task": tuned.task.value}
    if tuned.task is Task.CLASSIFY:
        for name, file in (("--pairs", asked.pairs), ("--questions", asked.questions)):
            if file is not None:
                raise FixRecipe(
                    name, "a classifier gives no probability of a sentence",
                    "models that write, such as instruct and adapt",
                )  # fmt: skip
        told |= _classifier(record, tuned, asked, progress)
    else:
        told |= _writer(record, tuned, asked, progress)
    told["words"] = sentences_of(told)
    page = json.loads((record.path / "report.json").read_text(encoding="utf-8"))
    write_json(record.path / FILE, told)
    show_bias(record.path, page, told)
    Manifest.write(record.path)
    return told


def _writer(record: RunRecord, tuned: Tuned, asked: Asked, progress: Progress) -> dict[str, Any]:
    nothing = asked.pairs is None and asked.questions is None
    if nothing or not tuned.task.generates or tuned.base.masked:
        raise CheckRun(
            f"run {record.id}", f"its task is {tuned.task.value}",
            "classify; or a model that writes, with a file of sentence pairs or of questions",
            "give --pairs FILE or --questions FILE" if tuned.task.generates else "",
        )  # fmt: skip
    told: dict[str, Any] = {}
    questions = None if asked.questions is None else read_questions(asked.questions)
    if asked.pairs is not None:
        pairs = read_pairs(asked.pairs)
        more = log_likelihoods(tuned, [p.more for p in pairs], progress)
        less = log_likelihoods(tuned, [p.less for p in pairs], progress)
        told["pairs"] = preferences(pairs, more, less, asked.draws, asked.seed)
    if questions is not None:
        chosen = answers_to(tuned, questions, progress)
        told["questions"] = leanings(questions, chosen, asked.draws, asked.seed)
    return told


def _classifier(
    record: RunRecord, tuned: Tuned, asked: Asked, progress: Progress
) -> dict[str, Any]:
    lexicon = read_terms(asked.terms)
    flagged = choices(asked.positive, tuned.head.labels.names)
    rows = test_rows(record, tuned, asked.column, progress)
    reader = Reader.of(tuned)
    progress.start("answering the test rows", len(rows.texts), "rows")
    chances = reader.chances(rows.texts, progress)
    groups = by_values(rows.values) if asked.column else by_terms(rows.texts, lexicon)
    declared = next(iter(flagged.values())) if asked.positive else ()
    probes = probes_of(lexicon, rows, asked.carriers, asked.seed, declared)
    answers = answered(probes, reader, progress)
    exchanged = swaps(rows.texts, lexicon)
    progress.start("exchanging words", len(exchanged), "texts")
    turned = reader.chances([swap.text for swap in exchanged], progress)
    by_choice: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, positive in flagged.items():
        found = measured(groups, rows.truth, chances, positive, asked.draws, asked.seed)
        own = list(found.findings)
        told: dict[str, Any] = {"groups": found.sums, "ranks": found.ranks, "probes": {}}
        for place, probe in probes.items():
            seen = probed(probe, answers[place], positive, asked.draws, asked.seed)
            known = bool(asked.positive) or place.source != SENTENCES
            told["probes"][str(place)] = _sums(seen.as_dict(), probe, known)
            own += seen.findings(str(place)) if known else []
        old = chances[[swap.row for swap in exchanged]]
        told["exchanges"] = flips(exchanged, old, turned, positive, asked.draws, asked.seed)
        by_choice[name] = told
        findings += [replace(f, measure=_of(name, f.measure)) for f in own]
    return {
        "flagged": {n: [tuned.head.labels.names[i] for i in p] for n, p in flagged.items()},
        "declared": bool(asked.positive),
        "rows": len(rows.texts),
        "named": sum(bool(mentions(text, lexicon)) for text in rows.texts),
        "grouped_by": asked.column or "words",
        "lexicon": {"file": str(asked.terms or "built-in"), "hash": lexicon.fingerprint},
        "never": _never(rows, lexicon),
        "choices": by_choice,
        "findings": [f.as_dict() for f in corrected(findings)],
        "mass": _mass(record.path, tuned, rows, lexicon, asked, progress),
    }


def _of(label: str, measure: str) -> str:
    """A rate as that of a label: before where its words stand, if it says that."""
    rate, comma, place = measure.partition(",")
    return f"{rate} of {label}{comma}{place}"


def _sums(told: dict[str, Any], probe: Probe, known: bool) -> dict[str, Any]:
    """Whether a lexicon's sentence is rightly flagged is known only where labels are declared."""
    told |= {"carriers": len(probe.carriers), "words": list(probe.words)}
    return told if known else told | {"fped": None, "fned": None, "equalised_odds": None}


def _never(rows: Rows, lexicon: Lexicon) -> list[str]:
    said = {m.term.word for text in rows.texts for m in mentions(text, lexicon)}
    return [term.word for term in lexicon.terms if term.word not in said]


def _mass(
    folder: Path, tuned: Tuned, rows: Rows, lexicon: Lexicon, asked: Asked, progress: Progress
) -> dict[str, Any]:
    named = [text for text in rows.texts if mentions(text, lexicon)]
    dice = np.random.default_rng(asked.seed)
    chosen: Sequence[int] = [int(i) for i in np.sort(dice.permutation(len(named))[:MASS_TEXTS])]
    if not chosen:
        return {"rows": 0, "why": "no test row names a group"}
    subject = Subject.of(tuned.network, tuned.head, tuned.base.tokenizer, pad_id(tuned.base))
    passages = passages_of([named[i] for i in chosen], tuned.contract, "the test rows")
    answers = subject.logits([p.ids for p in passages]).argmax(1)
    questions = [Question(p, int(a)) for p, a in zip(passages, answers, strict=True)]
    verdict = kept_verdict(folder, subject.writes)
    method = suited(verdict, subject, questions)[0] if verdict else MASS_METHOD
    progress.start("weighing words", len(questions), "texts")
    found = member_of(method, subject.writes).explain(subject, questions)
    return mass(passages, found, lexicon, asked.draws, asked.seed) | {"method": method}
