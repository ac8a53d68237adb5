"""Answers from a file or a pipe, one line for each question."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from luthier.cli.answers import answer
from luthier.cli.labelling.keys import Keys, Move, Unclear
from luthier.core.errors import FixData
from luthier.stages.labelling.opening import Session


def label_by_lines(session: Session, lines: Iterable[str], place: str, aloud: bool) -> None:
    """One answer a line, until the lines or the rows end; empty lines are passed over.

    With `aloud` each question is a line of JSON on standard output before its answer is read.

    Raises: FixData for a line that is no label and no move, naming it; what stood before is kept.
    """
    desk, keys = session.desk, Keys(session.desk.labels)
    numbered = ((n, line.strip()) for n, line in enumerate(lines, start=1) if line.strip())
    while (asked := desk.next()) is not None:
        if aloud:
            question = {"row": asked.number, "text": asked.text, "quota": asked.quota}
            answer({"question": question})
        number, line = next(numbered, (0, ""))
        meaning = keys.word(line) if line else Move.QUIT
        if isinstance(meaning, Unclear):
            allowed = "a label, its number, or u, s, q"
            raise FixData(f"{place}, line {number}", meaning.why, allowed)
        if meaning is Move.QUIT:
            return
        if meaning is Move.UNDO:
            desk.book.undo()
        elif meaning is Move.SKIP:
            desk.book.skip(asked.key, asked.quota)
        elif isinstance(meaning, str):
            desk.answer(asked, meaning, None)


def lines_of(answers: str) -> Iterable[str]:
    """The lines of a file, or of standard input for "-".

    Raises: FixData when the file can't be read.
    """
    if answers == "-":
        return sys.stdin
    from pathlib import Path

    try:
        return Path(answers).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FixData(
            answers, f"it can't be read: {error}", "a text file with a label a line"
        ) from error
