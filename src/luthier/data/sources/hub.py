"""A data set of the Hugging Face hub at one commit, streamed by the optional package `datasets`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import FixData, LuthierError, need_extra
from luthier.core.hub import COMMIT, commit_of, keep_quiet, refusal
from luthier.data.sources.columnar import named

_SPELLING = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::([\w.-]+))?")


@dataclass(frozen=True)
class HubName:
    """The parts of `owner/name@revision:config`; revision and config may be left out."""

    name: str
    revision: str | None
    config: str | None

    @staticmethod
    def parse(location: str) -> HubName:
        """The parts of a location.

        Raises: FixData for another spelling.
        """
        match = _SPELLING.fullmatch(location)
        if match is None:
            raise FixData(
                location,
                "this is no name of a data set on the hub",
                "Allowed: owner/name, owner/name@revision, each also with :config",
            )
        return HubName(*match.groups())

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.name}{revision}{f':{self.config}' if self.config else ''}"


class Hub:
    """Rows of a data set on the hub; code of the data set is never run."""

    def __init__(self, location: str, split: str | None = None) -> None:
        self._asked = HubName.parse(location)
        commit = self._asked.revision or ""
        short = commit[:8] if COMMIT.fullmatch(commit) else commit
        self.place = str(HubName(self._asked.name, short or None, self._asked.config))
        self._split = split or "train"

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number and values by column, streamed, all of one commit.

        Raises: InstallExtra without the package, FixData when the hub does not give the rows.
        """
        keep_quiet()
        try:
            datasets = importlib.import_module("datasets")
        except ImportError as error:
            raise need_extra("hub", "datasets", self.place) from error
        keep_quiet()
        # Asked first: otherwise the package might hand out an older copy without a word.
        commit = HubName.parse(pinned(str(self._asked))).revision
        name, config = self._asked.name, self._asked.config
        with _hub_words(self.place, self._asked):
            rows = datasets.load_dataset(
                name, config, split=self._split, streaming=True, revision=commit
            )
            names = _class_names(rows.features or {})
            yield from enumerate(named_one_by_one(rows, names), start=1)


def pinned(location: str) -> str:
    """The same data set at the commit its revision (the main branch by default) stands for now.

    Raises: FixData when the hub does not tell.
    """
    asked = HubName.parse(location)
    with _hub_words(str(asked), asked):
        commit = commit_of("data set", asked.name, asked.revision)
    return str(HubName(asked.name, commit, asked.config))


def named_one_by_one(rows: Any, names: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Streamed rows with class numbers replaced by class names."""
    for row in rows:
        yield from named([row], names)


@contextmanager
def _hub_words(place: str, asked: HubName) -> Iterator[None]:
    try:
        yield
    except (LuthierError, GeneratorExit):
        raise
    # the packages raise their own, changing set of classes for a hub that says no
    except Exception as error:
        said = refusal(error, "data set", asked.name, asked.revision)
        # the original may quote what was sent to the hub, a token included
        raise FixData(place, said.met, said.allowed, said.advice) from None


def _class_names(features: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        names = getattr(inner, "names", None)
        if names:
            found[column] = list(names)
    return found
