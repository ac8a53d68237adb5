"""Which class is explained, and which it is set against."""

from __future__ import annotations

from luthier.core.errors import CheckRun, FixData
from luthier.core.types import Task
from luthier.explain.attribution import Passage, Question
from luthier.stages.explaining.asked import Asked
from luthier.stages.parts.keeping import Tuned

_TASKS = {"--class": (Task.CLASSIFY, Task.MULTILABEL), "--against": (Task.CLASSIFY,)}


def refuse_classes(asked: Asked, tuned: Tuned) -> None:
    """Raises: CheckRun for a class where answers are none; FixData for an unknown one, or one that
    is set against itself."""
    named = {"--class": asked.label, "--against": asked.against}
    given = {option: label for option, label in named.items() if label is not None}
    for option, label in given.items():
        if tuned.task not in _TASKS[option]:
            tasks = " or ".join(task.value for task in _TASKS[option])
            raise CheckRun(
                option, f"the run's task is {tuned.task.value}", f"a run of task {tasks}"
            )
        tuned.head.labels.number(label, option)
    if asked.label is not None and asked.label == asked.against:
        raise FixData("--against", f"{asked.against!r} is set against itself", "another class")


def asked_of(passage: Passage, answer: int, asked: Asked, tuned: Tuned) -> Question:
    """Why the model answers so, or would answer the class asked for; where the answer is the very
    class it is set against, it is set against all others."""
    numbers = tuned.head.labels.number
    target = answer if asked.label is None else numbers(asked.label, "--class")
    against = None if asked.against is None else numbers(asked.against, "--against")
    return Question(passage, target, None if against == target else against)


def beside_itself(question: Question, asked: Asked) -> list[str]:
    """What has to be said where the answer is the class it should be set against."""
    if asked.against is None or question.against is not None:
        return []
    return [f"The answer is {asked.against!r} itself, so it is set against all other classes."]
