"""From a workshop with few labels to the classifier of the rung that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.encode import Encoded
from luthier.data.feed.example import encode_texts
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.baseline import LinearProbe, humanise
from luthier.evaluate.predictions import ClassPredictions, Predictions
from luthier.fewshot.choosing.choose import Choice, choose
from luthier.fewshot.head import LadderHead, words_of
from luthier.fewshot.keeping import bare
from luthier.fewshot.rung import Asked, Known
from luthier.fewshot.rungs.earlier import EarlierStack
from luthier.fewshot.rungs.family import ladder
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.fewshot.rungs.zero import ZeroShot
from luthier.fewshot.wording import BLANKS
from luthier.stages.combinations import selection_metric
from luthier.stages.fewshot.earlier import earlier_of, put_earlier
from luthier.stages.fewshot.outlook import foretold, wanted
from luthier.stages.fewshot.pool import Pool, read_pool
from luthier.stages.fewshot.tuning import put_tuned, tunable
from luthier.stages.fewshot.worded import wording_of
from luthier.stages.parts.answers import Exam, features
from luthier.stages.training import Trained, descent
from luthier.stages.workshop import Workshop
from luthier.store.store import Store
from luthier.train.state import TrainingState

NO_ROWS = np.zeros(0, np.int64)
BASE = "untouched model, label names"
"""The first of the models that a classifier is compared with."""


def climb(shop: Workshop, base_folder: Path, store: Store, progress: Progress) -> Trained:
    """Chooses a rung for the labelled rows and puts its classifier into the workshop; encoders that
    earlier runs of `store` left may be taken.

    Rows kept for validation are learnt from as well: rows held out in turn take their place.

    Raises: FixData when no allowed rung can be tried, or the pool can't be read.
    """
    pool = read_pool(shop.recipe, shop.prepared, base_folder)
    for note in pool.notes:
        progress.say(note)
    earlier, left_out = earlier_of(shop, store, progress)
    known = replace(known_of(shop, pool, progress), earlier=earlier)
    metric = selection_metric(shop.task, shop.recipe.evaluate.metric)
    section = shop.recipe.fewshot
    rungs = ladder(60 * section.minutes, section.rungs)
    choice = choose(known, rungs, metric, progress, section.risk)
    progress.say(f"few labels: the rung {choice.rung!r} was chosen; the report says why")
    held_out = held(shop, known, choice)
    # Before the chosen encoder takes the place of the base, which rungs tune and put back.
    outlook = foretold(known, choice, section.target, progress)
    following = wanted(known, choice, pool.texts)
    taken: dict[str, Any] = {}
    if choice.rung == TunedStack().name:
        put_tuned(shop, known)
    if choice.rung == EarlierStack().name:
        taken = put_earlier(shop, known)
        progress.say(f"few labels: the encoder is that of run {taken['run']}")
    trained = Trained(still(shop), metric, _score(choice), 0, _probe(known))
    shop.network.output = None
    trained.ladder, trained.held = told(choice, pool, left_out), held_out
    trained.ladder["earlier"] = taken or None
    trained.ladder["outlook"], trained.ladder["next"] = outlook, following
    unlabelled = None if len(known.rows) else shop.recipe.data.train
    trained.ladder["pool_file"] = section.pool or unlabelled
    reader = words_of(shop.contract.tokenizer)
    said = wording_of(shop.base, shop.head.labels, shop.contract)
    shop.head = LadderHead(shop.head.labels, bare(choice.fitted), reader, said)
    return trained


def known_of(shop: Workshop, pool: Pool, progress: Progress) -> Known:
    """What rungs may learn from: labelled rows outside the test part, descriptions, pool."""
    progress.start("reading with the encoder", None, "")
    encoded, rows = shop.encoded, _learnt(shop)
    labels = shop.head.labels.names
    truth = np.zeros(0, np.int64)
    if len(rows):
        assert isinstance(encoded.targets, np.ndarray)
        truth = np.asarray(encoded.targets[rows], np.int64)
    return Known(
        labels=labels,
        rows=read_rows(shop, encoded, rows),
        truth=truth,
        described=described(shop, labels),
        pool=read_texts(shop, pool.texts),
        groups=_groups(shop, rows),
        weights=np.asarray(encoded.weights[rows], np.float64) if len(rows) else None,
        prior=_prior(shop, labels),
        seed=shop.recipe.train.seed,
        encoder=tunable(shop),
        taught=np.isin(encoded.rows[rows], list(shop.prepared.taught)),
        blank=read_texts(shop, BLANKS) if shop.base.kind == "causal" else None,
    )


def described(shop: Workshop, labels: Sequence[str]) -> Asked:
    """What is said about each class: its name, its description, and both as one text; the vector
    is the mean of those of the phrasings that there are."""
    told = shop.recipe.fewshot.descriptions
    phrasings = [_phrasings(humanise(name), told.get(name, "").strip()) for name in labels]
    flat = read_texts(shop, [words for each in phrasings for words in each])
    ends = np.cumsum([len(each) for each in phrasings])
    parts = np.split(flat.vectors, ends[:-1])
    vectors = np.stack([part.mean(axis=0) for part in parts])
    return replace(flat.take(ends - 1), vectors=vectors)


def _phrasings(name: str, description: str) -> tuple[str, ...]:
    if not description:
        return (name,)
    return (name, description, f"{name}. {description}")


def read_texts(shop: Workshop, texts: Sequence[str]) -> Asked:
    """Texts as rungs see them: the words of their tokens, and their vectors."""
    examples = encode_texts(texts, shop.contract, with_offsets=False) if texts else []
    encoded = Encoded(
        task=Task.CLASSIFY,
        ids=Ragged.pack((e.ids[0] for e in examples), "int32"),
        rows=np.arange(len(examples)),
        weights=np.ones(len(examples), np.float32),
    )
    return read_rows(shop, encoded, np.arange(len(examples)))


def read_rows(shop: Workshop, encoded: Encoded, examples: NDArray[np.int64]) -> Asked:
    """Examples as rungs see them."""
    exam = Exam(encoded, examples, shop.prepared.table, shop.batch_plan())
    # What a rung reads in training it reads in use: the words of the tokens.
    read = words_of(shop.contract.tokenizer)
    tokens = [np.asarray(encoded.ids[int(i)], np.int64) for i in examples]
    words = [read(each.tolist()) for each in tokens]
    vectors = features(shop.network, exam).astype(np.float64)
    wording = wording_of(shop.base, shop.head.labels, shop.contract)
    said = wording.scores(shop.network, [t.tolist() for t in tokens]) if wording else None
    return Asked(words, vectors, tokens, said)


def told(choice: Choice, pool: Pool, notes: Sequence[str] = ()) -> dict[str, Any]:
    """What the run's folder keeps of the choice, ready for JSON."""
    noted = replace(choice, notes=(*choice.notes, *pool.notes, *notes))
    return noted.as_dict() | {"pool": len(pool.texts)}


def held(shop: Workshop, known: Known, choice: Choice) -> dict[str, Predictions]:
    """Zero-shot and the chosen rung on labelled rows held out in turn; no rows without labels.

    Numbers from these rows stand in for those of test rows where there are none.
    """
    places, chances = choice.checked or (NO_ROWS, np.zeros((0, len(known.labels))))
    own = np.asarray(shop.encoded.rows[_learnt(shop)[places]], np.int64)
    zero = known.made(ZeroShot()).probabilities(known.rows.take(places))
    truth = known.truth[places]
    return {
        BASE: ClassPredictions(known.labels, truth, zero, own),
        "tuned model": ClassPredictions(known.labels, truth, chances, own),
    }


def _learnt(shop: Workshop) -> NDArray[np.int64]:
    """Examples outside the test part, in order."""
    splits = shop.prepared.splits
    return np.sort(np.concatenate([shop.part(splits.train), shop.part(splits.validation)]))


def still(shop: Workshop) -> TrainingState:
    """The state of a network that was not trained."""
    return TrainingState.begin(
        shop.network, descent(shop), shop.recipe.train.seed, shop.recipe.fast.base_dropout
    )


def _score(choice: Choice) -> float | None:
    return next((s.value for s in choice.scores if s.rung == choice.rung), None)


def _probe(known: Known) -> LinearProbe | None:
    """The plain linear probe of the same rows, for the table of results."""
    if len(np.unique(known.truth)) < 2:
        return None
    nothing = (known.rows.vectors[:0], known.truth[:0])
    return LinearProbe.fit(known.labels, (known.rows.vectors, known.truth), nothing)


def _groups(shop: Workshop, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """A number for each row's group; a row without one is its own."""
    if not len(rows):
        return None
    values = shop.prepared.table.column("group")
    mine = [values[int(shop.encoded.rows[int(i)])] for i in rows]
    if all(value is None for value in mine):
        return None
    names = [f"row {i}" if value is None else f"group {value}" for i, value in enumerate(mine)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _prior(shop: Workshop, labels: Sequence[str]) -> NDArray[np.float64] | None:
    wanted = shop.recipe.fewshot.target_prior
    return np.asarray([wanted[name] for name in labels]) if wanted else None
