"""`luthier attack`: how often a tuned classifier gives way, attack by attack."""

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
from luthier.safety.lexicon import Lexicon
from luthier.safety.outcome import summary
from luthier.safety.validity import Validity
from luthier.safety.victim import NetworkVictim
from luthier.stages.parts.keeping import Tuned, open_tuned, untouched
from luthier.stages.prepare import prepare
from luthier.stages.safety.attacking.lexicon import lexicon_of
from luthier.stages.workshop import pad_id
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord, Store

PURPOSE = "attacks"
FILE = "attack.json"
NAMES = ("words", "typos", "invisible", "lookalikes", "hotflip", "ball")
"""Every attack on classifiers."""


@dataclass(frozen=True)
class Asked:
    """Which attacks, what they may spend, and on how many rows of which file."""

    attacks: tuple[str, ...] = ("words", "typos", "invisible", "lookalikes")
    queries: int = 100
    rows: int = 100
    data: str | None = None
    seed: int = 0


def attack(
    record: RunRecord, store: Store, asked: Asked, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """What each attack achieved, JSON-ready; also kept in the run's folder.

    Raises: FixRecipe for an unknown attack; CheckRun for a run that is no finished classifier;
    FixData for a file without usable rows.
    """
    refuse_unknown(asked.attacks)
    tuned, texts, truths = target_of(record, asked, base_folder, progress)
    lexicon = lexicon_of(tuned.base, Artefacts(store.folder), progress)
    found = attack_rows(tuned, lexicon, texts, truths, asked, progress)
    told = {"run": record.id, "attacks": found}
    write_json(record.path / FILE, told)
    Manifest.write(record.path)
    return told


def target_of(
    record: RunRecord, asked: Asked, base_folder: Path, progress: Progress
) -> tuple[Tuned, list[str], list[int]]:
    """The tuned model of a run, and the texts to attack with their true classes.

    Raises: CheckRun for a run that is no finished classifier; FixData for a file without rows.
    """
    if record.status != "finished":
        raise CheckRun(
            f"run {record.id}", f"it is {record.status}", "a finished run",
            f"luthier runs resume {record.id}",
        )  # fmt: skip
    if record.task != Task.CLASSIFY.value:
        raise CheckRun(f"run {record.id}", f"its task is {record.task}", "a run that classifies")
    tuned = open_tuned(record.path, progress)
    return tuned, *_rows(record, tuned, asked, base_folder, progress)


def refuse_unknown(names: Sequence[str]) -> None:
    """Raises: FixRecipe for a name that is no attack."""
    for name in names:
        if name not in NAMES:
            near = nearest(name, NAMES)
            raise FixRecipe(
                "--attack",
                f"there is no attack {name!r}",
                f"one of {', '.join(NAMES)}",
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
    for name in asked.attacks:
        progress.start(f"attack: {name}", None, "rows")
        member = member_of(name, tuned, victim, lexicon)
        attempts = member.run(victim, texts, truths, limits)
        told.append(summary(member.name, member.threat, attempts, limits))
    return told


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
