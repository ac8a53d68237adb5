"""`luthier attack`: how often a tuned model gives way, attack by attack."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData, FixRecipe, nearest
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.glance import glance
from luthier.data.mapping import canonical_rows, recognise
from luthier.data.source import open_source
from luthier.safety.attack import Attack, Limits
from luthier.safety.attacks.ball import Ball
from luthier.safety.attacks.characters import Characters
from luthier.safety.attacks.hotflip import HotFlip
from luthier.safety.attacks.substitution import Substitution
from luthier.safety.lexicon import Lexicon, whole_words
from luthier.safety.outcome import summary
from luthier.safety.universal import Universal
from luthier.safety.validity import Validity, words_of_name
from luthier.safety.victim import NetworkVictim
from luthier.safety.wrappers import WRAPPERS
from luthier.stages.parts.keeping import Tuned, open_tuned, untouched
from luthier.stages.prepare import prepare
from luthier.stages.safety.attacking.defences import advice
from luthier.stages.safety.attacking.lexicon import lexicon_of
from luthier.stages.safety.attacking.wrapped import attack_writer
from luthier.stages.workshop import pad_id
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord, Store

PURPOSE = "attacks"
FILE = "attack.json"
NAMES = ("words", "typos", "invisible", "lookalikes", "hotflip", "ball", "trigger")
"""Every attack on classifiers."""
USUAL = ("words", "typos", "invisible", "lookalikes")
"""Those that are tried when none is named."""


@dataclass(frozen=True)
class Asked:
    """Which attacks, what they may spend, and on how many rows of which file."""

    attacks: tuple[str, ...] = ()
    queries: int = 100
    rows: int = 100
    data: str | None = None
    seed: int = 0


def attack(
    record: RunRecord, store: Store, asked: Asked, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """What each attack achieved, JSON-ready; also kept in the run's folder.

    A model that writes is asked harmful requests, plainly and dressed up.

    Raises: FixRecipe for an unknown attack, or rows where the requests are our own; CheckRun for
    a run that is not finished or neither classifies nor writes; FixData for a file without usable
    rows.
    """
    told: list[str] = []
    if record.task == Task.INSTRUCT.value:
        found = _written(record, asked, progress)
    else:
        refuse_unknown(asked.attacks, NAMES)
        tuned, texts, truths = target_of(record, asked, base_folder, progress)
        lexicon = lexicon_of(tuned.base, Artefacts(store.folder), progress)
        found = attack_rows(tuned, lexicon, texts, truths, asked, progress)
        told = advice(tuned.recipe, found, tuned.base.kind == "encoder")
    shown = [{k: v for k, v in one.items() if k != "held"} for one in found]
    kept = {"run": record.id, "attacks": shown, "advice": told}
    write_json(record.path / FILE, kept)
    Manifest.write(record.path)
    return kept


def _written(record: RunRecord, asked: Asked, progress: Progress) -> list[dict[str, Any]]:
    refuse_unknown(asked.attacks, tuple(WRAPPERS))
    if asked.data is not None:
        raise FixRecipe("--data", "models that write are asked requests of our own", "no --data")
    record.refuse_unfinished()
    tuned = open_tuned(record.path, progress)
    return attack_writer(tuned, asked.attacks or tuple(WRAPPERS), asked.rows, asked.seed, progress)


def target_of(
    record: RunRecord, asked: Asked, base_folder: Path, progress: Progress
) -> tuple[Tuned, list[str], list[int]]:
    """The tuned model of a run, and the texts to attack with their true classes.

    Raises: CheckRun for a run that is no finished classifier; FixData for a file without rows.
    """
    record.refuse_unfinished()
    if record.task != Task.CLASSIFY.value:
        raise CheckRun(f"run {record.id}", f"its task is {record.task}", "a run that classifies")
    tuned = open_tuned(record.path, progress)
    return tuned, *_rows(record, tuned, asked, base_folder, progress)


def refuse_unknown(names: Sequence[str], known: Sequence[str]) -> None:
    """Raises: FixRecipe for a name that is none of the attacks on such a model."""
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise FixRecipe(
                "--attack",
                f"there is no attack {name!r} on such a model",
                f"one of {', '.join(known)}",
                f"did you mean {near!r}?" if near else "",
            )


def attack_rows(
    tuned: Tuned,
    lexicon: Lexicon,
    texts: Sequence[str],
    truths: Sequence[int],
    asked: Asked,
    progress: Progress,
) -> list[dict[str, Any]]:
    """One summary for each attack."""
    victim = victim_of(tuned)
    limits = Limits(asked.queries, asked.seed)
    told = []
    for name in asked.attacks or USUAL:
        progress.start(f"attack: {name}", None, "rows")
        if name == "trigger":
            told.append(_trigger(tuned, victim, texts, truths, limits))
            continue
        member = member_of(name, tuned, victim, lexicon)
        attempts = member.run(victim, texts, truths, limits)
        told.append(summary(member.name, member.threat, attempts, limits))
    return told


def _trigger(
    tuned: Tuned,
    victim: NetworkVictim,
    texts: Sequence[str],
    truths: Sequence[int],
    limits: Limits,
) -> dict[str, Any]:
    # A phrase that names a label would be an argument, not an attack.
    named = {word.lower() for label in tuned.head.labels.names for word in words_of_name(label)}
    words = {t: w for t, w in whole_words(tuned.base.tokenizer).items() if w not in named}
    member = Universal(words, victim.embeddings)
    found = member.run(victim, texts, truths, limits)
    told = summary(member.name, member.threat, found.attempts, limits)
    return told | {"phrases": list(found.phrases), "learning_queries": found.queries}


def victim_of(tuned: Tuned) -> NetworkVictim:
    """The tuned model as an attacker meets it."""
    return NetworkVictim(tuned.network, tuned.head, tuned.contract, pad_id(tuned.base))


def member_of(name: str, tuned: Tuned, victim: NetworkVictim, lexicon: Lexicon) -> Attack:
    """An attack by its name, with the judge that fits it."""
    labels = tuned.head.labels.names
    # What a reader does not see, or reads over, is judged by how many words it touches.
    spelling = Validity(None, labels)
    meaning = Validity(_Untouched(tuned), labels)
    members: dict[str, Attack] = {
        "words": Substitution(lexicon, meaning),
        "typos": Characters("typos", spelling),
        "invisible": Characters("invisible", spelling),
        "lookalikes": Characters("lookalikes", spelling),
        "hotflip": HotFlip(lexicon, victim.embeddings, meaning),
        "ball": Ball(),
    }
    return members[name]


@dataclass(frozen=True)
class _Untouched:
    """Vectors (B, D) of the base as it was before training."""

    tuned: Tuned

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        tuned = self.tuned
        # What the defence undoes before the tokenizer is still seen by a reader.
        contract = replace(tuned.contract, canonical=None)
        with untouched(tuned.network, tuned.base) as plain:
            return NetworkVictim(plain, tuned.head, contract, pad_id(tuned.base)).vectors(texts)


def _rows(
    record: RunRecord, tuned: Tuned, asked: Asked, base_folder: Path, progress: Progress
) -> tuple[list[str], list[int]]:
    """Texts and their true classes: of the file, or the sealed test rows of the run."""
    if asked.data is not None:
        rows = _of_file(asked.data, tuned, base_folder)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(record.facts["base_folder"])
            prepared = prepare(tuned.recipe, folder, Path(temporary), progress)
            if record.facts.get("data_hash") != prepared.fingerprint:
                raise CheckRun(
                    f"run {record.id}", "the data file changed since the run",
                    advice="restore it, or name labelled rows with --data FILE",
                )  # fmt: skip
            numbers = prepared.sealed.open(PURPOSE)
            rows = [dict(row) for row in prepared.table.take([int(i) for i in numbers])]
    if not rows:
        raise FixData(asked.data or f"run {record.id}", "there are no labelled rows to attack")
    dice = np.random.default_rng(derive(asked.seed, "attacked rows"))
    kept = sorted(dice.permutation(len(rows))[: asked.rows].tolist())
    labels, place = tuned.head.labels, asked.data or "the test rows"
    chosen = [rows[i] for i in kept]
    return [str(r["text"]) for r in chosen], [labels.number(str(r["label"]), place) for r in chosen]


def _of_file(data: str, tuned: Tuned, base_folder: Path) -> list[dict[str, Any]]:
    source = open_source(data, base_folder)
    sample = glance(source)
    mapping = replace(tuned.mapping, group=None, weight=None, identity=None)
    if not sample or not mapping.fits(sample[0]):
        mapping, _ = recognise(sample, tuned.task, tuned.recipe.data.columns.given())
    return [dict(row) for _, row in canonical_rows(source, mapping)]
