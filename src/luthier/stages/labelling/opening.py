"""A session made ready: setting, pool, vectors, and what was labelled before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luthier import __version__
from luthier.core.progress import Progress
from luthier.fewshot.asking.learner import Learner
from luthier.fewshot.asking.sheet import Book
from luthier.fewshot.rung import Asked
from luthier.stages.labelling.desk import Desk, Wishes
from luthier.stages.labelling.pool import Pool, read_pool
from luthier.stages.labelling.setting import Setting, numbers, settle
from luthier.stages.labelling.vectors import Reader
from luthier.stages.labelling.writing import journal_of, refuse_foreign, write_labels
from luthier.store.artefacts import Artefacts
from luthier.store.store import Store


@dataclass
class Session:
    """A desk, the file its labels go to, and what is to be said at the beginning."""

    desk: Desk
    setting: Setting
    out: Path
    notes: tuple[str, ...]

    def write(self) -> None:
        """Brings the labels file up to the journal; no file without a label.

        Raises: FreeDisk.
        """
        sheet = self.desk.book.sheet
        if sheet.given or self.out.exists():
            column = self.setting.mapping.label or "label"
            write_labels(self.out, self.desk.pool, sheet.given, column)


def open_session(
    target: str, pool: str, out: Path, store: Store, wishes: Wishes, progress: Progress
) -> Session:
    """A session for a run or recipe; labels given before to the same `out` are in it.

    Raises: CheckRun, FixData, FixRecipe, FixModel; RepairStore for a damaged journal.
    """
    refuse_foreign(out)
    setting = settle(target, store, progress)
    found = read_pool(pool, setting)
    reader = Reader(setting.recipe, Artefacts(store.folder), progress)
    learner = _learner(setting, found, reader, wishes.seed)
    book = Book(journal_of(out))
    desk = Desk(found, setting.labels, learner, book, wishes)
    book.begin(
        {
            "for": setting.name,
            "labels": list(setting.labels),
            "vectors": reader.hash,
            "strategy": wishes.strategy,
            "seed": wishes.seed,
            "version": __version__,
        }
    )
    return Session(desk, setting, out, (*found.notes, *_before(book)))


def _learner(setting: Setting, pool: Pool, reader: Reader, seed: int) -> Learner:
    known = [text for text, _ in setting.known]
    return Learner(
        labels=setting.labels,
        described=Asked(setting.told, reader.read(setting.told)),
        pool=Asked(pool.texts, reader.read(pool.texts)),
        rows=Asked(known, reader.read(known)),
        truth=numbers(setting.labels, setting.known),
        seed=seed,
    )


def _before(book: Book) -> list[str]:
    said = []
    if book.sheet.given or book.sheet.skipped:
        said.append(f"{len(book.sheet.given)} labels were given before")
    if book.torn:
        said.append("an answer was being written when a session broke off; it is asked again")
    return said
