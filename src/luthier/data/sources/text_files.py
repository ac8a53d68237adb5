"""Plain text: a folder with one row per file, or one file with a row per paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.core.errors import FixData
from luthier.core.types import RowNumber
from luthier.data.sources.encoding import open_text


class TextFolder:
    """One row per text file, in the order of their names; sub-folders name the label."""

    def __init__(self, folder: Path, files: tuple[Path, ...], encoding: str | None = None) -> None:
        self.folder, self.files, self.place = folder, files, folder.name
        self._encoding = encoding

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The only row of each file: `text`, `file` and, with sub-folders, `label`.

        Raises: FixData when some files lie in sub-folders and some do not.
        """
        labelled = self._labelled()
        for path in self.files:
            with open_text(path, self._encoding) as file:
                row = {"text": file.read(), "file": str(path.relative_to(self.folder))}
            if labelled:
                row["label"] = path.relative_to(self.folder).parts[0]
            yield RowNumber(1, f"{self.place}/{row['file']}"), row

    def _labelled(self) -> bool:
        loose = [p for p in self.files if p.parent == self.folder]
        if loose and len(loose) < len(self.files):
            raise FixData(
                self.place,
                f"some texts lie in sub-folders and some beside them, such as {loose[0].name!r}",
                "Allowed: every text in a sub-folder named after its label, or none",
            )
        return not loose


class TextFile:
    """One row per paragraph; a blank line ends a paragraph."""

    def __init__(self, path: Path, place: str, encoding: str | None = None) -> None:
        self.path, self.place, self._encoding = path, place, encoding

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Paragraph number and `text`, one at a time."""
        number = 0
        with open_text(self.path, self._encoding) as file:
            held: list[str] = []
            for line in file:
                if line.strip():
                    held.append(line)
                elif held:
                    number += 1
                    yield number, {"text": "".join(held).strip()}
                    held = []
            if held:
                yield number + 1, {"text": "".join(held).strip()}
