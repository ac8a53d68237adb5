"""Questions in a terminal, one key for an answer."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from luthier.cli.labelling.keys import Keys, Meaning, Move, Unclear, shown
from luthier.core.errors import CheckRun
from luthier.fewshot.asking.compose import WHY
from luthier.stages.labelling.desk import Asked, Desk
from luthier.stages.labelling.opening import Session

LONGEST = 4000
"""Characters of a text that are shown."""
ESCAPE, TOGETHER = b"\x1b", 0.05
"""What keys without a letter begin with, and seconds within which the rest of them follows."""


def label_in_terminal(session: Session) -> None:
    """Asks until the person quits or no row is left; each answer is on disk before the next.

    Raises: FreeDisk; an interrupt leaves everything kept.
    """
    keys = Keys(session.desk.labels)
    _say(*session.notes, *_legend(keys))
    # For the whole session: a key pressed while a model is fitted must not wait for Enter.
    with _single_keys() if keys.single else nullcontext():
        _ask(session, keys)


def _ask(session: Session, keys: Keys) -> None:
    desk = session.desk
    starts = len(desk.book.sheet.starts)
    while (asked := desk.next()) is not None:
        if len(desk.book.sheet.starts) > max(1, starts):
            show_progress(desk)
            _forget_keys(keys)
        starts = len(desk.book.sheet.starts)
        began = time.monotonic()
        meaning = _answer(asked, desk, keys)
        if meaning is Move.QUIT:
            break
        _do(meaning, asked, session, time.monotonic() - began)
    else:
        _say("", "Every row of the pool was labelled or skipped.")


def show_progress(desk: Desk) -> None:
    """How good the model is, what more labels bring, and whether to stop."""
    status = desk.status()
    _say("", f"{status.labels} labels, {status.skipped} skipped, {status.left} rows left")
    if status.accuracy is not None:
        found, rows = status.accuracy, status.judged
        _say(
            f"accuracy {found.value:.1%} [{found.low:.1%}, {found.high:.1%}] on {rows} rows by lot"
        )
    _say(*(line[0].upper() + line[1:] for line in status.forecast()), status.advice.text)


def _do(meaning: Meaning, asked: Asked, session: Session, seconds: float) -> None:
    desk = session.desk
    if meaning is Move.UNDO:
        try:
            desk.book.undo()
            _say("  taken back")
        except CheckRun as error:
            _say(error.met)
    elif meaning is Move.SKIP:
        desk.book.skip(asked.key, asked.quota)
        _say("  skipped")
    elif meaning is Move.SHOW:
        show_progress(desk)
    elif isinstance(meaning, Unclear):
        _say(meaning.why)
    elif isinstance(meaning, str):
        desk.answer(asked, meaning, round(seconds, 2))
        _say(f"  → {shown(meaning)}")
    session.write()


def _answer(asked: Asked, desk: Desk, keys: Keys) -> Meaning:
    text = shown(asked.text)
    cut = f" … {len(text) - LONGEST} characters more" if len(text) > LONGEST else ""
    _say(
        "",
        f"── {len(desk.book.sheet.given)} labels · {asked.left} left in this round "
        f"· row {asked.number} · {WHY.get(asked.quota, asked.quota)}",
        text[:LONGEST] + cut,
    )
    if not keys.single:
        try:
            return keys.word(input("label> "))
        except EOFError:
            return Move.QUIT
    print("label> ", end="", flush=True)
    pressed = _key()
    return keys.press(pressed) if pressed else Move.QUIT


def _legend(keys: Keys) -> list[str]:
    moves = "u undo   s skip   p progress   q quit (everything is kept)"
    lines = [f"  {key:>3}  {shown(label)}" for key, label in keys.legend()]
    if keys.single:
        return ["", *lines, "", moves]
    return ["", *lines, "", "Type a number, or how a label begins, and Enter.", moves]


@contextmanager
def _single_keys() -> Iterator[None]:
    """The terminal gives each key at once and shows none."""
    if sys.platform == "win32":
        yield
        return
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _key() -> str:
    """The next key; empty at the end of the input.

    Arrows, Delete and the like send several bytes, digits among them: they are one key.
    """
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.getwch()
    number = sys.stdin.fileno()
    pressed = os.read(number, 1)
    if pressed == ESCAPE and select.select([number], [], [], TOGETHER)[0]:
        os.read(number, 16)
    return pressed.decode("ascii", "replace")


def _forget_keys(keys: Keys) -> None:
    """A key pressed while a model was fitted answers a question that nobody had seen."""
    if keys.single and sys.platform != "win32":
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)
