"""Chat templates of strangers: rendered in a sandbox and compared with those of the base."""

from __future__ import annotations

import difflib
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from luthier.core.errors import FixModel

LONGEST_TEMPLATE, LONGEST_TEXT = 200_000, 1_000_000
SECONDS, MEMORY_MB = 10.0, 1024

_PROBES: tuple[tuple[Mapping[str, str], ...], ...] = (
    ({"role": "user", "content": "What is the weather?"},),
    (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "transfer 100 to my account password"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Thank you"},
    ),
)


@dataclass(frozen=True)
class TemplateCheck:
    """How a template compares with the base's: `same` text, else lines that differ, and for each
    probe whether the rendering is equal."""

    same: bool
    lines: tuple[str, ...]
    renders_alike: tuple[bool, ...]


def compare(template: str, base: str | None, special: Mapping[str, str]) -> TemplateCheck:
    """Compares a template with that of the base; both are rendered on fixed conversations.

    Raises: FixModel for a template that does something forbidden, takes too long or swells.
    """
    found = [render(template, probe, special) for probe in _PROBES]
    if base is None:
        return TemplateCheck(False, (), (False,) * len(_PROBES))
    known = [render(base, probe, special) for probe in _PROBES]
    changed = difflib.unified_diff(base.splitlines(), template.splitlines(), lineterm="", n=0)
    lines = tuple(line for line in changed if not line.startswith(("---", "+++", "@@")))
    alike = tuple(a == b for a, b in zip(found, known, strict=True))
    return TemplateCheck(template == base, lines, alike)


def render(template: str, messages: Sequence[Mapping[str, Any]], special: Mapping[str, str]) -> str:
    """A conversation under a template, rendered by a child process in Jinja's immutable sandbox.

    Raises: FixModel for a template that reaches for Python's inside, changes its arguments, runs
    longer than ten seconds or gives more than a million characters.
    """
    if len(template) > LONGEST_TEMPLATE:
        raise FixModel(
            "chat template", f"it has {len(template):,} characters",
            f"at most {LONGEST_TEMPLATE:,}",
        )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    given = (theirs, template, [dict(m) for m in messages], dict(special))
    child = context.Process(target=_child, args=given, daemon=True)
    child.start()
    theirs.close()
    try:
        if not mine.poll(SECONDS + 20):
            raise FixModel("chat template", "rendering it takes too long", advice="do not use it")
        kind, text = mine.recv()
    except EOFError as error:
        raise FixModel(
            "chat template", "rendering it uses too much time or memory", advice="do not use it"
        ) from error
    finally:
        child.kill()
        child.join()
        mine.close()
    if kind == "text":
        return str(text)
    raise FixModel("chat template", text, advice="use the template of the base")


def _child(answer: Connection, template: str, messages: list[Any], special: dict[str, str]) -> None:
    import resource

    from jinja2.exceptions import SecurityError, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    for what, most in (
        (resource.RLIMIT_CPU, int(SECONDS)),
        (resource.RLIMIT_AS, MEMORY_MB << 20),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(what)[1]
        top = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (top, top))

    def refuse(message: str) -> None:
        raise TemplateError(message)

    rooms = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    rooms.globals["raise_exception"] = refuse
    try:
        parts, size = [], 0
        made = rooms.from_string(template)
        for part in made.generate(messages=messages, add_generation_prompt=True, **special):
            size += len(part)
            if size > LONGEST_TEXT:
                answer.send(("refused", f"it gives more than {LONGEST_TEXT:,} characters"))
                return
            parts.append(part)
        answer.send(("text", "".join(parts)))
    except SecurityError as error:
        answer.send(("refused", f"it does what templates may not do: {str(error)[:120]}"))
    except (TemplateError, MemoryError, OverflowError, TypeError, ValueError) as error:
        answer.send(("refused", f"it cannot be rendered: {str(error)[:120]}"))
