"""The faithfulness of each method on a run's model: measured once and kept with the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import LuthierError
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.explain.attribution import Question
from luthier.explain.attributions.ablation import AblationRegression
from luthier.explain.attributions.build import members
from luthier.explain.attributions.occlusion import Occlusion
from luthier.explain.gate.verdict import SHOWN, VERSION, Verdict, judge
from luthier.explain.passages import conversation_of, passages_of
from luthier.explain.subject import Subject
from luthier.stages.explaining.asked import GATE_TEXTS, GATE_WORDS, gate_rows
from luthier.stages.parts.keeping import Tuned
from luthier.store.store import RunRecord

FILE = "explain/gate.json"
FEWEST = 8


def verdict_of(
    record: RunRecord, tuned: Tuned, subject: Subject, seed: int, progress: Progress
) -> tuple[Verdict | None, str]:
    """The verdict, and why there is none."""
    kept = kept_verdict(record.path, subject.writes)
    if kept is not None:
        return kept, ""
    path = record.path / FILE
    try:
        rows = gate_rows(record, tuned, seed, progress)
    except LuthierError as error:
        return None, f"Methods were not measured on this model: {error}"
    questions = _questions(rows, tuned, subject)
    if len(questions) < FEWEST:
        return None, (
            f"Methods were not measured on this model: only {len(questions)} validation rows have "
            f"2 to {GATE_WORDS} words, {FEWEST} are needed."
        )
    progress.say(
        "Which method is faithful on this model is measured first, once; that may take minutes, "
        "and later calls use it."
    )
    found = judge(subject, questions, members(subject.writes), seed, progress)
    path.parent.mkdir(exist_ok=True)
    write_json(path, found.as_dict())
    return found, ""


def kept_verdict(folder: Path, writes: bool) -> Verdict | None:
    """What was measured on the run of a folder before; None for the measures of another version."""
    path = folder / FILE
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("version") == VERSION and set(kept["faith"]) == set(members(writes)):
            return Verdict.from_dict(kept)
    return None


def suited(verdict: Verdict, subject: Subject, questions: Sequence[Question]) -> tuple[str, str]:
    """The method for these texts, and why it is not the one that was chosen.

    Methods are measured on texts of at most 60 words. On longer ones, one that reads a text once
    for each word would take hundreds of passes, and draws of hidden words become fewer than the
    words they are to tell apart; slopes take as many passes as before.
    """
    known = members(subject.writes)
    longest = max(len(q.passage.words) for q in questions)
    by_hiding = Occlusion, AblationRegression
    if longest <= GATE_WORDS or subject.writes or not isinstance(known[verdict.chosen], by_hiding):
        return verdict.chosen, ""
    other = verdict.best_of(
        name for name, one in known.items() if not isinstance(one, (*by_hiding, *SHOWN))
    )
    if other is None:
        return verdict.chosen, ""
    faith = [verdict.faith[name].overall.value for name in (other, verdict.chosen)]
    return other, (
        f"{verdict.chosen!r} was chosen for this model on texts of at most {GATE_WORDS} words and "
        f"is slow or blurred on one of {longest}; {other!r} takes its place (faithfulness "
        f"{faith[0]:.2f} against {faith[1]:.2f} on the short ones). --method {verdict.chosen} asks "
        "for it all the same."
    )


def _questions(rows: Sequence[Any], tuned: Tuned, subject: Subject) -> list[Question]:
    passages = []
    for row in rows:
        try:
            if subject.writes:
                one = conversation_of(row[:-1], row[-1]["content"] or "", tuned.contract, "a row")
            else:
                (one,) = passages_of([row], tuned.contract, "a row")
        except LuthierError:
            # A row that cannot be explained does not measure explanations.
            continue
        if 2 <= len(one.words) <= GATE_WORDS and one.cut == 0:
            passages.append(one)
    passages = passages[:GATE_TEXTS]
    if subject.writes or not passages:
        return [Question(p) for p in passages]
    logits = subject.logits([p.ids for p in passages])
    return [Question(p, int(np.argmax(row))) for p, row in zip(passages, logits, strict=True)]
