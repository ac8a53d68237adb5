"""The model card: what a kept model is, what it was measured at, and how to open it.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting"; the front matter follows the
model card metadata of the Hugging Face hub.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from luthier.core.files import write_text
from luthier.core.types import Task
from luthier.data.starter import STARTERS
from luthier.fewshot.head import LadderHead
from luthier.stages.page import words
from luthier.stages.page.data import MetricRow, ReportData
from luthier.stages.parts.loading import Opening, snippet
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop

TEMPLATES = Path(__file__).parents[1] / "templates"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
AT_COMMIT = re.compile(r"@[0-9a-f]{40}(?=:|$)")
"""How a run records a data set of the hub."""
HUB_NAMES = {"embedded:encoder": "sentence-transformers/all-MiniLM-L6-v2"}
"""Embedded models that also lie on the hub."""
PIPELINES = {
    Task.CLASSIFY: "text-classification",
    Task.MULTILABEL: "text-classification",
    Task.REGRESS: "text-classification",
    Task.TAG: "token-classification",
}
METRICS = {
    "macro_f1": "f1",
    "micro_f1": "f1",
    "entity_f1": "f1",
    "entity_precision": "precision",
    "entity_recall": "recall",
    "mcc": "matthews_correlation",
    "brier": "brier_score",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougeL": "rouge",
    "r2": "r_squared",
}
"""Our names of metrics under the names of the hub, where these differ."""
USES = {
    Task.CLASSIFY: "gives a text exactly one of {count} labels: {labels}",
    Task.MULTILABEL: "gives a text any of {count} labels: {labels}",
    Task.REGRESS: "gives a text a number",
    Task.TAG: "marks parts of a text as one of {count} types: {labels}",
    Task.INSTRUCT: "answers instructions like those it was tuned on",
    Task.PREFER: "answers in the way that was preferred in its pairs",
    Task.ADAPT: "continues, or fills in, text like that of its rows",
}
NAMED = 40
"""Labels that are listed; of more, the first."""


def write_card(shop: Workshop, trained: Trained, report: ReportData) -> Path:
    """Writes README.md into the run's model folder, and over the empty one PEFT left there.

    Raises: FreeDisk when there is no room.
    """
    text = card(shop, trained, report)
    place = shop.folder / "model"
    write_text(place / "README.md", text)
    if (place / "adapter").is_dir():
        write_text(place / "adapter" / "README.md", text)
    return place / "README.md"


def card(shop: Workshop, trained: Trained, report: ReportData) -> str:
    """The card as Markdown with a front matter in YAML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown, not HTML; what users wrote goes through `said`.
        autoescape=False,
    )
    environment.filters["said"] = said
    opening = opening_of(shop)
    return environment.get_template("card.md.j2").render(
        r=report,
        w=words,
        front=_yaml(front_matter(opening, report, data_name(shop))),
        headline=words.headline(report).sentences,
        use=_use(shop),
        opening=opening,
        data=data_name(shop),
        licence=licence_of(shop.recipe.data.train),
        shop=shop,
        recipe=shop.recipe,
        trained=trained,
        by_words=isinstance(shop.head, LadderHead),
        remarks=[r for r in report.findings if r.level != "info"],
        snippet=snippet(opening),
        wide=wide,
    )


def said(value: object) -> str:
    """Text of users for one line of Markdown: no line break, no table border, no tag."""
    text = " ".join(str(value).split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def opening_of(shop: Workshop) -> Opening:
    """What decides how the model of a workshop is opened again."""
    return Opening(
        base=shop.base.spec.id,
        kind=shop.base.kind,
        task=shop.task,
        adapter=shop.recipe.adapter.kind,
        pooling=shop.network.pooling,
        max_tokens=shop.contract.max_tokens,
        revision=shop.base.spec.revision,
    )


def front_matter(opening: Opening, report: ReportData, data: str) -> dict[str, Any]:
    """The metadata of the hub. The base is named only where the hub knows it by that name."""
    base = HUB_NAMES.get(opening.base, opening.base)
    known = {"base_model": base} if HUB_ID.fullmatch(base) and not Path(base).exists() else {}
    pipeline = PIPELINES.get(opening.task, "fill-mask" if opening.fills_in else "text-generation")
    adapted = opening.adapter in ("lora", "ia3")
    tuned = [m for m in report.metrics if report.tuned in m.estimates]
    measured = [
        {
            "type": METRICS.get(m.name, m.name),
            "name": words.title(m.name),
            "value": round(m.estimates[report.tuned].value, 6),
        }
        for m in tuned
    ]
    result = {
        "task": {"type": pipeline},
        "dataset": {"type": data, "name": data, "split": "test"},
        "metrics": measured,
    }
    return {
        "library_name": "peft" if adapted else "transformers",
        **known,
        "pipeline_tag": pipeline,
        "tags": ["luthier", opening.task.value, *([opening.adapter] if adapted else [])],
        "metrics": list(dict.fromkeys(METRICS.get(m.name, m.name) for m in tuned)),
        "model-index": [{"name": report.title, "results": [result]}],
    }


def data_name(shop: Workshop) -> str:
    """The data set as it may be told: a hub id or starter name, of a path only the last part."""
    given = shop.recipe.data.train
    if AT_COMMIT.search(given):
        return AT_COMMIT.split(given)[0]
    return given if given.startswith("starter:") or HUB_ID.fullmatch(given) else Path(given).name


def licence_of(place: str) -> str | None:
    """The licence of starter data; of other data the recipe says nothing."""
    known = STARTERS.get(place.removeprefix("starter:"))
    return known.licence if known and place.startswith("starter:") else None


def wide(row: MetricRow, model: str) -> str:
    """A value with its interval."""
    estimate = row.estimates.get(model)
    if estimate is None:
        return "none"
    ends = words.interval(row.name, estimate)
    return words.number(row.name, estimate.value) + (f" ({ends})" if ends else "")


def _use(shop: Workshop) -> str:
    labels = shop.head.labels.names
    listed = ", ".join(f"`{said(name)}`" for name in labels[:NAMED])
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return USES[shop.task].format(count=len(labels), labels=listed + more)


def _yaml(value: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
