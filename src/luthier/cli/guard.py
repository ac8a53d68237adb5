"""How a command ends: one sentence and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from luthier.core.errors import LuthierError

UNEXPECTED = 70
INTERRUPTED = 130


@contextmanager
def guarded(home: Path, as_json: bool) -> Iterator[None]:
    """Turns every failure of the block into a sentence on standard error and an exit code.

    With `as_json` the last line of standard output also tells it. Unexpected faults leave their
    traceback in a file under `home`.
    """
    try:
        yield
    except LuthierError as error:
        facts = {
            "kind": type(error).__name__,
            "place": error.place,
            "met": error.met,
            "allowed": error.allowed,
            "advice": error.advice,
        }
        _end(str(error), error.exit_code, facts if as_json else None)
    except KeyboardInterrupt:
        message = "stopped before there was anything to save. Run the same command again."
        _end(message, INTERRUPTED, {"kind": "Interrupted"} if as_json else None)
    except BrokenPipeError:
        # The reader of standard output has gone, as with `| head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {_short(error)}. {_keep_traceback(home)}"
        _end(message, UNEXPECTED, {"kind": type(error).__name__} if as_json else None)


def red(message: str) -> str:
    """`message` in red where standard error is a terminal that wants colours."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(message, fg=typer.colors.RED, bold=True) if coloured else message


def _end(message: str, code: int, facts: dict[str, Any] | None) -> None:
    print(red(message), file=sys.stderr, flush=True)
    if facts is not None:
        answer = {"error": {"message": message, **facts}, "exit_code": code}
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    raise typer.Exit(code)


def _short(error: Exception) -> str:
    text = str(error).strip().split("\n")[0].rstrip(".")
    return text if len(text) <= 200 else text[:199] + "…"


def _keep_traceback(home: Path) -> str:
    path = home / "crashes" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError as error:
        # No place to write: the terminal is all that is left.
        traceback.print_exc()
        return f"The traceback is above, as {path} cannot be written ({error.strerror})."
    return f"This is a fault of luthier; its traceback is in {path}."
