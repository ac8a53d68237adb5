"""A data set of the Hugging Face hub, streamed by the optional package `datasets`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from luthier.core.errors import FixData, need_extra
from luthier.data.sources.columnar import named


class Hub:
    """Rows of `owner/name` or `owner/name:config`; code of the data set is never run."""

    def __init__(self, location: str, split: str | None = None) -> None:
        self.place = location
        self._name, _, self._config = location.partition(":")
        self._split = split or "train"

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number and values by column, streamed.

        Raises: InstallExtra without the package, FixData when the hub does not give the rows.
        """
        rows = self._open()
        names = _class_names(rows.features or {})
        yield from enumerate(named_one_by_one(rows, names), start=1)

    def _open(self) -> Any:
        try:
            datasets = importlib.import_module("datasets")
        except ImportError as error:
            raise need_extra("hub", "datasets", self.place) from error
        config = self._config or None
        try:
            return datasets.load_dataset(self._name, config, split=self._split, streaming=True)
        except Exception as error:
            # the package raises its own, changing set of classes for a hub that says no
            raise FixData(
                self.place,
                f"the hub does not give the split {self._split!r} ({_first_line(error)})",
                "Allowed: owner/name or owner/name:config of a data set, or a local file",
                "check the name and the connection",
            ) from error


def revision(location: str) -> str:
    """The commit of the data set that the hub would give now.

    Raises: FixData when the hub cannot be asked.
    """
    name = location.partition(":")[0]
    api = importlib.import_module("huggingface_hub").HfApi()
    try:
        return str(api.dataset_info(name).sha)
    except Exception as error:
        raise FixData(
            location,
            f"the hub does not name a revision ({_first_line(error)})",
            advice="check the name and the connection, or save the data set to a local folder",
        ) from error


def named_one_by_one(rows: Any, names: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Streamed rows with class numbers replaced by class names."""
    for row in rows:
        yield from named([row], names)


def _class_names(features: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        names = getattr(inner, "names", None)
        if names:
            found[column] = list(names)
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
