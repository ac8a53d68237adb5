"""What programs call to have a run explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.progress import Progress, Silence

if TYPE_CHECKING:
    from luthier.store.store import Store


def explain(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    base_folder: Path | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Which words moved the answers of a tuned model, in numbers and in sentences that were tried
    on it; kept in the run's folder as explain/explanations.json and .html. `asked` are the fields
    of `luthier.stages.explaining.asked.Asked`.

    Raises: CheckRun, FixData, FixRecipe.
    """
    from luthier.stages.explaining.asked import Asked
    from luthier.stages.explaining.explain import explain as explain_stage
    from luthier.store.store import Store

    opened = store or Store.open()
    asked["texts"] = tuple(asked.get("texts", ()))
    return explain_stage(
        opened.finished(run),
        opened,
        Asked(**asked),
        base_folder or Path.cwd(),
        progress or Silence(),
    )


def mislabelled(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    rows: int = 20,
    out: Path | None = None,
) -> dict[str, Any]:
    """The `rows` training rows whose label is most doubtful, the most doubtful first; also as a
    list that `luthier label` opens, in `out` or in the run's folder.

    Raises: CheckRun for a run that is no finished classifier or whose data changed.
    """
    from luthier.stages.explaining.mislabelled import mislabelled as list_stage
    from luthier.store.store import Store

    record = (store or Store.open()).finished(run)
    return list_stage(record, rows, out, progress or Silence())


def before_after(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    base_folder: Path | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """What fine-tuning changed: how the weight of words moved against the untouched base, and
    which words stand in for a label; kept in the run's folder as explain/before-after.json and
    .html. `asked` are the fields of `luthier.stages.explaining.change.before_after.Asked`.

    Raises: CheckRun, FixData, FixRecipe.
    """
    from luthier.stages.explaining.change.before_after import Asked
    from luthier.stages.explaining.change.before_after import before_after as compare_stage
    from luthier.store.store import Store

    record = (store or Store.open()).finished(run)
    return compare_stage(record, Asked(**asked), base_folder or Path.cwd(), progress or Silence())
