"""Why a tuned model answers as it does, in scores and in sentences that were tried on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixRecipe, nearest
from luthier.core.files import write_json, write_text
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.explain.attribution import Attribution, Passage, Question
from luthier.explain.attributions.build import member_of, unmeasured
from luthier.explain.gate.verdict import Verdict
from luthier.explain.passages import conversation_of, passages_of
from luthier.explain.subject import Subject
from luthier.explain.telling.claims import claims_of, for_level
from luthier.explain.telling.edits import smallest_edits
from luthier.explain.telling.reader import Reader
from luthier.models.adapters.folding import folded
from luthier.stages.explaining.asked import Asked, rows_asked
from luthier.stages.explaining.classes import asked_of, beside_itself, refuse_classes
from luthier.stages.explaining.heads import attention_view
from luthier.stages.explaining.judging import suited, verdict_of
from luthier.stages.explaining.rows import add_rows, refuse_rows
from luthier.stages.explaining.show import page_of
from luthier.stages.parts.generation import write_answers
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.safety.attacking.lexicon import lexicon_of
from luthier.stages.workshop import pad_id
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord, Store

LEVELS = ("customer", "analyst", "engineer")
FOLDER = "explain"


def explain(
    record: RunRecord, store: Store, asked: Asked, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """Explanations of texts, JSON-ready; also kept in the run's folder as JSON and as a page.

    Raises: CheckRun for a run that is not finished or gives no single score, or scores that are no
    numbers; FixData for an empty text or an unknown class; FixRecipe for an unknown method.
    """
    record.refuse_unfinished()
    if asked.level not in LEVELS:
        close = nearest(asked.level, LEVELS)
        raise FixRecipe(
            f"--level {asked.level!r}", "there is no such level", ", ".join(LEVELS),
            f"did you mean {close!r}?" if close else "",
        )  # fmt: skip
    tuned = open_tuned(record.path, progress)
    subject = Subject.of(tuned.network, tuned.head, tuned.base.tokenizer, pad_id(tuned.base))
    if asked.method != "auto":
        member_of(asked.method, subject.writes)
    rows, notes = rows_asked(asked, record, tuned, base_folder, progress)
    refuse_classes(asked, tuned)
    questions, rows, more = _questions(rows, asked, tuned, subject, progress)
    refuse_rows(record, tuned, asked, len(questions))
    near = lexicon_of(tuned.base, Artefacts(store.folder), progress).neighbours
    with folded(tuned.network):
        told = _explained(record, tuned, subject, (questions, rows), asked, near, progress)
    told["notes"] = [*notes, *more, *told["notes"]]
    if asked.learned_from:
        run = record, tuned, Artefacts(store.folder)
        add_rows(told, subject, questions, asked, run, progress)
    folder = record.path / FOLDER
    folder.mkdir(exist_ok=True)
    told["page"] = str(folder / "explanations.html")
    write_json(folder / "explanations.json", told)
    write_text(folder / "explanations.html", page_of(told))
    Manifest.write(record.path)
    return told


def _explained(
    record: RunRecord,
    tuned: Tuned,
    subject: Subject,
    asks: tuple[Sequence[Question], Sequence[dict[str, Any]]],
    asked: Asked,
    near: Callable[[str], Sequence[str]],
    progress: Progress,
) -> dict[str, Any]:
    questions, rows = asks
    verdict, reason = verdict_of(record, tuned, subject, asked.seed, progress)
    method, instead = asked.method, ""
    if method == "auto":
        method = unmeasured(subject.writes)
        if verdict:
            method, instead = suited(verdict, subject, questions)
    progress.start("explaining", len(questions), "texts")
    found = member_of(method, subject.writes).explain(subject, questions)
    told = []
    for one, question, row in zip(found, questions, rows, strict=True):
        told.append(_told(one, question, row, tuned, subject, asked, near))
        progress.advance(1)
    said = [line for line in (reason, instead) if line]
    return {
        "run": record.id,
        "task": tuned.task.value,
        "method": method,
        "level": asked.level,
        "notes": [*said, *_warnings(verdict, method, subject)],
        "gate": verdict.as_dict() if verdict else None,
        "explanations": told,
    }


def _warnings(verdict: Verdict | None, method: str, subject: Subject) -> list[str]:
    found = []
    if not member_of(method, subject.writes).signed:
        found.append("These scores say how much a word matters, not for which answer it speaks.")
    if verdict is None:
        return found
    found.append(verdict.warning(method))
    if not verdict.passed:
        found.insert(0, "No explanation method passed the reliability check for this model.")
    return [line for line in found if line]


def _questions(
    rows: Sequence[dict[str, Any]],
    asked: Asked,
    tuned: Tuned,
    subject: Subject,
    progress: Progress,
) -> tuple[list[Question], list[dict[str, Any]], list[str]]:
    """What is explained, its rows, and what has to be said about those left out."""
    texts = [row["text"] for row in rows]
    if subject.writes:
        prompts = [[{"role": "user", "content": text}] for text in texts]
        # A model of broken numbers writes nothing at all, which would look like an empty answer.
        tried = Question(conversation_of(prompts[0], "yes", tuned.contract, "text 1"))
        _refuse_nan(subject.totals([(tried.passage.ids, tried)]))
        wrote = write_answers(
            tuned.network, tuned.contract, prompts, tuned.recipe.evaluate.max_new_tokens, progress
        )
        passages = [
            conversation_of(prompt, answer, tuned.contract, f"text {i}")
            for i, (prompt, answer) in enumerate(zip(prompts, wrote, strict=True), start=1)
        ]
        return (
            [Question(p) for p in passages],
            [{**row, "answer": answer} for row, answer in zip(rows, wrote, strict=True)],
            [],
        )
    passages = passages_of(texts, tuned.contract, asked.data or "the texts given")
    logits = subject.logits([p.ids for p in passages])
    _refuse_nan(logits)
    answers = logits.argmax(1)
    kept, notes = list(range(len(rows))), list[str]()
    names = tuned.head.labels.names
    if asked.errors:
        kept = [i for i in kept if rows[i]["label"] != names[int(answers[i])]]
        wrong = f"{len(kept)} of {len(rows)} test rows were answered wrongly"
        left = f"; the first {asked.rows} are explained, --rows takes more"
        notes.append(f"{wrong}{left if len(kept) > asked.rows else ''}.")
        kept = kept[: asked.rows]
        if not kept:
            raise CheckRun("--errors", "every test row was answered rightly", "nothing to explain")
    questions = [asked_of(passages[i], int(answers[i]), asked, tuned) for i in kept]
    return questions, [rows[i] for i in kept], notes


def _refuse_nan(scores: np.ndarray) -> None:
    if not np.isfinite(scores).all():
        raise CheckRun(
            "explain", "the model's scores are not finite numbers",
            "a model that gives a number for each text", "train it again at a lower learning rate",
        )  # fmt: skip


def _told(
    one: Attribution,
    question: Question,
    row: dict[str, Any],
    tuned: Tuned,
    subject: Subject,
    asked: Asked,
    near: Callable[[str], Sequence[str]],
) -> dict[str, Any]:
    _refuse_nan(one.scores)
    passage = question.passage
    told: dict[str, Any] = {
        "text": passage.text,
        "label": row.get("label"),
        "file": row.get("file"),
        "row": row.get("row"),
        "answer": row.get("answer"),
        "asked": row["text"],
        "words": _words(one, passage),
        "signed": one.signed,
        "format": one.format,
        "gap": one.gap,
        "by_token": None if one.by_token is None else one.by_token.tolist(),
        "notes": _remarks(passage, tuned) + beside_itself(question, asked),
        "claims": [],
        "edits": [],
    }
    if subject.writes:
        tokens = passage.ids[len(passage.ids) - passage.answer :]
        told["tokens"] = [tuned.base.tokenizer.decode([int(t)]) for t in tokens]
    elif tuned.task is Task.CLASSIFY:
        labels = tuned.head.labels.names
        told["target"] = labels[question.target]
        told["against"] = None if question.against is None else labels[question.against]
        reader = Reader(subject, tuned.contract)
        chances = reader.chances([passage.text])[0]
        told["chances"] = {labels[i]: float(chances[i]) for i in np.argsort(-chances)}
        answer = Question(passage, int(chances.argmax()))
        # The sentences are about the answer given; scores may be about another class.
        said = one if answer.target == question.target else _turned(one)
        edits = smallest_edits(reader, passage, said.order, near)
        told["edits"] = [asdict(edit) | {"answer": labels[edit.answer]} for edit in edits]
        claims = claims_of(reader, passage, said, labels, edits[:1])
        told["claims"] = [asdict(claim) for claim in for_level(claims, asked.level)]
    if asked.attention:
        told["attention"] = attention_view(subject, passage, tuned.base.tokenizer)
    return told


def _turned(one: Attribution) -> Attribution:
    return Attribution(one.method, -one.scores if one.signed else one.scores, one.signed)


def _words(one: Attribution, passage: Passage) -> list[dict[str, Any]]:
    found = []
    for i, (ends, score) in enumerate(zip(passage.words, one.scores, strict=True)):
        word: dict[str, Any] = {"word": passage.spelt[i], "ends": list(ends), "score": float(score)}
        if one.low is not None and one.high is not None:
            word |= {"low": float(one.low[i]), "high": float(one.high[i])}
        found.append(word)
    return found


def _remarks(passage: Passage, tuned: Tuned) -> list[str]:
    found = []
    if passage.cut:
        end = passage.words[-1][1]
        lost = passage.text[end : end + 60].strip()
        found.append(
            f"The text is longer than the {tuned.contract.max_tokens} tokens the model was trained "
            f"to read: {passage.cut} tokens were not read, from {lost!r} on."
        )
    if len(passage.words) == 1:
        found.append("The text is a single word, so there is nothing to weigh it against.")
    return found
