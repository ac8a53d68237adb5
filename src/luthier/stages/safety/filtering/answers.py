"""What a model is asked and what it answers, through the filters; answers keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from luthier.screen.action import Action
from luthier.screen.rule import Span
from luthier.stages.safety.filtering.rows import Guard, Row

Answering = Callable[[Iterable[Row]], Iterator[Row]]
TRIES = 2
"""How often an answer is written again before it is blocked."""
_AGAIN = "Answer without personal data, passwords or keys, and without insults."


def filtered(rows: Iterable[Row], answer: Answering, guard: Guard) -> Iterator[Row]:
    """One answer per row, in order, with `filters` where something was met.

    A question that is blocked never reaches the model: its answer is `{"blocked": true}`. A
    question for a person is answered and marked.
    """
    waiting: deque[tuple[Row, Action, list[Span]]] = deque()

    def asked() -> Iterator[Row]:
        for row in rows:
            told, action, met = guard.judge_row(row)
            waiting.append((told, action, met))
            if action not in ("block", "regenerate"):
                yield told

    answers = answer(asked())
    for answered in answers:
        while waiting[0][1] in ("block", "regenerate"):
            yield _blocked(waiting.popleft())
        told, action, met = waiting.popleft()
        yield _answered(told, answered, (action, met), guard, answer)
    while waiting:
        yield _blocked(waiting.popleft())


def _answered(
    told: Row, answered: Row, asked: tuple[Action, list[Span]], guard: Guard, answer: Answering
) -> Row:
    action, met = asked
    note = {"asked": _note(action, met)} if met else {}
    if not isinstance(answered.get("response"), str):
        return answered | ({"filters": note} if note else {})
    verdict = guard.judge(answered["response"])
    for _ in range(TRIES):
        if verdict.action != "regenerate":
            break
        again = next(answer([_with_reminder(told)]))
        verdict = guard.judge(str(again["response"]))
    if verdict.found:
        note["answered"] = _note(verdict.action, verdict.found)
    if verdict.action in ("block", "regenerate"):
        return {"blocked": True, "filters": note}
    return answered | {"response": verdict.text} | ({"filters": note} if note else {})


def _with_reminder(row: Row) -> Row:
    if isinstance(row.get("messages"), list):
        return row | {"messages": [{"role": "system", "content": _AGAIN}, *row["messages"]]}
    return row | {"system": f"{row.get('system') or ''} {_AGAIN}".strip()}


def _blocked(waited: tuple[Row, Action, list[Span]]) -> Row:
    return {"blocked": True, "filters": {"asked": _note("block", waited[2])}}


def _note(action: Action, met: Iterable[Span]) -> dict[str, Any]:
    return {"action": action, "kinds": sorted({span.kind for span in met})}
