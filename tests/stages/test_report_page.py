"""The report page: honest words, escaped values, no requests, any part may be missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from luthier.core.errors import CheckRun
from luthier.core.types import Finding, Level, Task
from luthier.evaluate import (
    ClassPredictions,
    MultilabelPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
    absent,
    bootstrap,
    paired,
    primary,
)
from luthier.stages.page import build, words
from luthier.stages.page.data import (
    Confusion,
    Cost,
    Curve,
    Estimate,
    FastPath,
    MetricRow,
    ReportData,
    Sample,
)
from luthier.stages.report_page import confused_pairs, most_confused, render

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}</style>&amp;"
VOID = {"meta", "img", "br", "hr", "wbr"}
ROWS = np.arange(1, 41)


class Page(HTMLParser):
    """The tags of a page; fails on tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def ids(self) -> set[str | None]:
        return {attributes.get("id") for _, attributes in self.tags}


def metric_rows(
    models: dict[str, Predictions], base: str, tuned: str, draws: int = 1000
) -> tuple[MetricRow, ...]:
    """The table of some predictions, as the flow makes it."""
    found = {name: bootstrap(p, draws=draws) for name, p in models.items()}
    missing = {name: absent(p) for name, p in models.items()}
    compared = paired(models[base], models[tuned], draws=draws) if base in models else {}
    return build.rows_of(found, compared, missing)


def classes(right: float, seed: int) -> ClassPredictions:
    rng = np.random.default_rng(seed)
    truth = np.arange(40) % 4
    scores = rng.normal(size=(40, 4))
    scores[np.arange(40), truth] += np.where(rng.random(40) < right, 6, -6)
    powers = np.exp(scores)
    names = ("fee_charged", "lost_card", "rate", "other")
    return ClassPredictions(names, truth, powers / powers.sum(1, keepdims=True), ROWS)


def predictions(task: Task, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    numbers, noise = np.linspace(0, 9, 40), rng.normal(size=40)
    spans = [[(0, 3, "A")]] * 40
    found = [spans[0] if n > 0 else [] for n in noise]
    answers = ["a c" if n > 0 else "d" for n in noise]
    nats = 30 + rng.random(40)
    return {
        Task.CLASSIFY: lambda: classes(0.7, seed),
        Task.MULTILABEL: lambda: MultilabelPredictions(
            ("a", "b"), np.tile([True, False], (40, 1)), rng.random((40, 2)), ROWS
        ),
        Task.REGRESS: lambda: ValuePredictions(numbers, numbers + noise, ROWS),
        Task.TAG: lambda: SpanPredictions(spans, found, ROWS),
        Task.INSTRUCT: lambda: TextPredictions([["a b c"]] * 40, answers, ROWS),
        Task.ADAPT: lambda: TextPredictions([], [], ROWS, nats, np.full(40, 9), np.full(40, 33)),
        Task.PREFER: lambda: PreferencePredictions(noise, ROWS),
    }[task]()  # fmt: skip


def report(task: Task = Task.CLASSIFY, **parts: object) -> ReportData:
    data = ReportData(
        "A title", "run-1", "today", task.value, "m", "LoRA", primary(task), {"test": 40}
    )
    return replace(data, **parts)


def measured(task: Task) -> ReportData:
    models = {"untouched model": predictions(task, 1), "tuned model": predictions(task, 2)}
    rows = metric_rows(models, "untouched model", "tuned model", draws=60)
    texts = [f"text {i}" for i in ROWS]
    return report(task, metrics=rows, mistakes=build.mistakes_of(models["tuned model"], texts, 5))


def compared(
    base: float, tuned: float, gap: Estimate, p: float, name: str = "accuracy"
) -> ReportData:
    estimates = {"untouched model": Estimate(base), "tuned model": Estimate(tuned)}
    row = MetricRow(name, estimates, gap, p, "McNemar exact")
    return report(metrics=(row,), primary=name)


def full(text: str) -> ReportData:
    p = classes(0.7, 1)
    named = ClassPredictions((text, *p.labels[1:]), p.truth, p.probabilities, p.rows)
    models = {"untouched model": named, "tuned model": classes(0.9, 2), text: named}
    models["tuned model"] = replace(named, probabilities=classes(0.9, 2).probabilities)
    return ReportData(
        text, text, text, text, text, text, "accuracy", {"train": 9, text: 3},
        models=tuple(models),
        metrics=metric_rows(models, "untouched model", "tuned model", draws=50),
        curves=(Curve(text, ((0, 3.0), (1000, 1.0)), text),),
        confusion=build.confusion_of(named),
        calibration=build.calibration_of(named),
        mistakes=tuple(replace(m, file=text) for m in build.mistakes_of(named, [text] * 40)),
        samples=(Sample(text, text, text, text),),
        lengths=build.lengths_of(np.array([3, 4, 9, 9]), 8),
        findings=build.remarks_of(
            [Finding(text, Level.WARNING, text, 30, tuple(range(20)), (text,) * 20)]
        ),
        fast_paths=(FastPath(text, False, text),),
        cost=Cost(10, 20, 30, 40),
        recipe=text,
        environment={text: text},
        commands=(text,),
        limits=(text,),
    )  # fmt: skip


@pytest.mark.parametrize("task", list(Task))
def test_every_task_has_a_page_with_what_it_has(task: Task) -> None:
    page = Page(render(measured(task)))
    assert "results" in page.ids()
    assert page.ids().isdisjoint({"training", "answers", "plan", "recipe", "reproduce", "limits"})
    assert words.title(primary(task)) in page.words


@pytest.mark.parametrize("task", list(Task))
def test_a_bare_report_says_that_nothing_was_measured(task: Task) -> None:
    page = Page(render(report(task)))
    assert "Not measured" in page.words
    assert "No metrics were measured" in page.words


def test_hostile_values_stay_text() -> None:
    page = Page(render(full(HOSTILE)))
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "img", "iframe", "object", "form", "a:href"})
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.words.count("alert(1)") >= 15
    assert "{{ 7*7 }}" in page.words


def test_no_request_leaves_the_page() -> None:
    text = render(full("plain"))
    page = Page(text)
    for _, attributes in page.tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\(", text)
    policy = [a["content"] for _, a in page.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_full_page_has_every_section_and_is_accessible() -> None:
    page = Page(render(full("plain")))
    ids = page.ids()
    targets = [a["href"] for tag, a in page.tags if tag == "a"]
    assert len(targets) == 9
    assert all(target is not None and target[1:] in ids for target in targets)
    assert all(a.get("scope") for tag, a in page.tags if tag == "th")
    pictures = [a for tag, a in page.tags if tag == "svg"]
    assert pictures
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in pictures)
    assert ("html", {"lang": "en"}) in page.tags


def test_saved_and_read_again_renders_the_same() -> None:
    data = full("plain")
    saved = json.dumps(data.as_dict(), allow_nan=False)
    again = ReportData.from_dict(json.loads(saved))
    assert again == data
    assert render(again) == render(data)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"titel": 1}, "titel"),
        ({"rows": {"test": "many"}}, "rows.test"),
        ({"curves": [{"name": "x", "points": [[0, float("nan")]]}]}, "curves.0.points.0.1"),
    ],
)
def test_a_damaged_report_is_refused_with_its_place(change: dict, place: str) -> None:
    with pytest.raises(CheckRun, match=re.escape(place)):
        ReportData.from_dict(report().as_dict() | change)


def test_a_clear_gain_is_said_plainly() -> None:
    found = words.headline(compared(0.64, 0.912, Estimate(0.272, 0.251, 0.293), 1e-9))
    assert found.verdict == "better"
    assert found.badge == "Better than the untouched model"
    text = " ".join(found.sentences).replace(words.NARROW, " ")
    assert "is right on 91.2 % of unseen rows; the untouched model on 64.0 %." in text
    assert (
        "+27.2 points is beyond chance (95 % interval 25.1 to 29.3; McNemar exact, p < 0.001; 40"
        in text
    )


@pytest.mark.parametrize(
    ("gap", "p"),
    [
        (Estimate(0.01, -0.02, 0.04), 0.4),
        (Estimate(0.03, 0.001, 0.06), 0.06),
        (Estimate(-0.01, -0.05, 0.0), 0.03),
        (Estimate(0.3), 0.0001),
    ],
)
def test_what_may_be_luck_is_no_better(gap: Estimate, p: float) -> None:
    found = words.headline(compared(0.6, 0.6 + gap.value, gap, p))
    assert (found.verdict, found.badge) == ("same", "No better than the untouched model")


def test_a_loss_is_said_plainly_also_where_lower_is_better() -> None:
    for data in (
        compared(0.9, 0.7, Estimate(-0.2, -0.3, -0.1), 0.001),
        compared(1.0, 1.2, Estimate(0.2, 0.1, 0.3), 0.001, "bits_per_byte"),
    ):
        found = words.headline(data)
        assert found.verdict == "worse"
        assert "do not use it" in " ".join(found.sentences)


def test_a_simpler_method_that_wins_is_named() -> None:
    data = compared(0.6, 0.8, Estimate(0.2, 0.1, 0.3), 0.001)
    row = replace(
        data.metrics[0], estimates=data.metrics[0].estimates | {"linear probe": Estimate(0.81)}
    )
    models = ("linear probe", *data.models)
    found = words.headline(replace(data, metrics=(row,), models=models))
    assert "the linear probe reaches 81.0" in found.sentences[-1]


def test_without_a_base_nothing_is_claimed() -> None:
    row = MetricRow("accuracy", {"tuned model": Estimate(0.9, 0.8, 1.0)})
    assert words.headline(report(metrics=(row,))).verdict == "unknown"


def test_undefined_metrics_show_their_reason() -> None:
    p = classes(0.7, 1)
    constant = replace(p, probabilities=np.tile([1.0, 0, 0, 0], (40, 1)))
    rows = metric_rows({"untouched model": constant, "tuned model": p},
                             "untouched model", "tuned model", draws=50)  # fmt: skip
    page = Page(render(report(metrics=rows)))
    assert "Matthews correlation of the untouched model is undefined: the truth or" in page.words


def test_large_confusions_show_the_most_confused_labels() -> None:
    counts = np.diag(np.full(30, 5))
    counts[7, 21] = 4
    labels = tuple(f"label_{i}" for i in range(30))
    confusion = Confusion(labels, tuple(tuple(map(int, row)) for row in counts))
    matrix = most_confused(confusion)
    assert len(matrix["labels"]) == 12
    assert matrix["left_out"] == 18
    assert {"label_7", "label_21"} <= set(matrix["labels"])
    assert confused_pairs(confusion) == [("label_7", "label_21", 4, 4 / 9)]


def test_spans_are_shown_as_their_words() -> None:
    assert build.spoken([(0, 4, "PER")], "Anna sings") == "PER: Anna"
    assert build.spoken([]) == "none"
    assert build.spoken(["a", "b"]) == "a, b"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (-4e-4, "\u22124.00e\u221204"), (12345.6, "12,346"), (99.5, "99.50")],
)
def test_plain_numbers(value: float, text: str) -> None:
    assert words.plain(value) == text


def test_rows_of_several_files_are_shown_with_their_files() -> None:
    found = Finding("duplicate", Level.INFO, "same", 3, (2, 5, 1), ("a.csv", "a.csv", "b.csv"))
    page = Page(render(replace(report(Task.CLASSIFY), findings=build.remarks_of([found]))))
    assert "row a.csv: 2, 5; b.csv: 1" in page.words
