"""A filter over text that is still being written; how it was chunked never shows in its output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from luthier.screen.action import Action, Verdict, judge, strongest
from luthier.screen.pieces import Cutter
from luthier.screen.rule import Group, Span
from luthier.screen.screen import Screen
from luthier.screen.surrogate import Surrogates


class Stream:
    """Passes on screened text piece by piece; at most `pieces.MOST` characters are held back.

    A piece whose verdict is to block or to write again ends the stream: nothing after it is
    passed on. `action` and `found` tell what happened so far.
    """

    def __init__(
        self, screen: Screen, actions: Mapping[Group, Action], surrogates: Surrogates
    ) -> None:
        self._screen, self._actions, self._surrogates = screen, actions, surrogates
        self._cutter = Cutter()
        self._at = 0
        self.action: Action = "allow"
        self.found: list[Span] = []

    @property
    def stopped(self) -> bool:
        """Whether nothing more is passed on."""
        return self.action in ("block", "regenerate")

    def feed(self, chunk: str) -> Iterator[str]:
        """Text that may go on after one more chunk."""
        if not self.stopped:
            yield from self._pass_on(self._cutter.feed(chunk))

    def finish(self) -> Iterator[str]:
        """What was still held back."""
        if not self.stopped:
            yield from self._pass_on(self._cutter.finish())

    def _pass_on(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            verdict = judge(piece, self._screen.find_in(piece), self._actions, self._surrogates)
            self._note(piece, verdict)
            if self.stopped:
                return
            yield verdict.text

    def _note(self, piece: str, verdict: Verdict) -> None:
        self.action = strongest((self.action, verdict.action))
        self.found += [span.shifted(self._at) for span in verdict.found]
        self._at += len(piece)
