"""Rows, questions and answers through the filters, and the record of what was met."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_place import Place, write_rows

from luthier.core.progress import Silence
from luthier.recipe.safety.filters import Filters
from luthier.stages import api
from luthier.stages.safety.filtering.answers import filtered
from luthier.stages.safety.filtering.files import Asked, screen_file
from luthier.stages.safety.filtering.guard import guard_of

MAIL, KEY = "bob.lee@firm.com", "AKIAQ3EGRT5UVW2XZ7PL"
FILTERS = {"safety.filters.toxicity": "off", "safety.filters.injection": "off"}


def guard(**section: Any):  # type: ignore[no-untyped-def]
    return guard_of(Filters(**section), seed=0, rules_only=True)


@given(st.text(max_size=30), st.text(max_size=30))
def test_spans_still_mark_their_words_after_redaction(before: str, after: str) -> None:
    text = f"{before} {MAIL} likes coffee {after}"
    at = text.index("coffee", len(before))
    spans = [[at, at + 6, "drink"], [text.index(MAIL, len(before)), at - 7, "who"]]
    row, action, _ = guard().judge_row({"text": text, "spans": spans})
    start, end, kind = row["spans"][0]
    assert (row["text"][start:end], kind) == ("coffee", "drink")
    start, end, kind = row["spans"][1]
    assert row["text"][start:end].startswith("[")
    assert MAIL not in row["text"]
    assert action == "redact"


def test_every_text_of_a_conversation_is_screened_and_no_role_is() -> None:
    row = {"messages": [{"role": "user", "content": f"I am {MAIL}"}], "chosen": KEY, "label": MAIL}
    told, _, met = guard().judge_row(row)
    said = json.dumps(told)
    assert KEY not in said
    assert told["label"] == MAIL
    assert told["messages"][0]["role"] == "user"
    assert {span.kind for span in met} == {"email", "aws-access-key"}


def echo(rows: Iterable[dict]) -> Iterator[dict]:
    yield from ({"response": row["prompt"]} for row in rows)


def test_blocked_questions_never_reach_the_model_and_order_is_kept() -> None:
    seen: list[str] = []

    def model(rows: Iterable[dict]) -> Iterator[dict]:
        rows = list(rows)
        seen.extend(row["prompt"] for row in rows)
        yield from ({"response": f"to {row['prompt']}"} for row in rows)

    asked = [{"prompt": p} for p in (KEY, "one", KEY, KEY, "two", MAIL, KEY)]
    told = list(filtered(asked, model, guard(secrets="block")))
    assert [answer.get("blocked", False) for answer in told] == [
        True, False, True, True, False, False, True,
    ]  # fmt: skip
    assert told[1] == {"response": "to one"}
    assert told[5]["filters"]["asked"] == {"action": "redact", "kinds": ["email"]}
    assert KEY not in "".join(seen)
    assert MAIL not in "".join(seen)


def test_an_answer_is_written_again_and_blocked_when_that_does_not_help() -> None:
    tries: list[dict] = []

    def model(rows: Iterable[dict]) -> Iterator[dict]:
        for row in rows:
            tries.append(row)
            helped = row["prompt"] == "better" and "system" in row
            yield {"response": "fine" if helped else f"mail {MAIL}"}

    section = guard(personal="regenerate")
    better, worse = filtered([{"prompt": "better"}, {"prompt": "worse"}], model, section)
    assert better["response"] == "fine"
    assert worse["blocked"] is True
    assert len(tries) == 2 + 1 + 2


def test_a_file_is_screened_and_written_again(tmp_path: Path) -> None:
    rows = [{"text": f"mail {MAIL}", "label": "a"}, {"text": "nothing"}, {"text": KEY}]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "out.jsonl"
    found = screen_file(Asked(str(file), out, rules_only=True), Silence())
    assert (found["rows"], found["touched"]) == (3, 2)
    assert {k["kind"]: k["first_rows"] for k in found["kinds"]} == {
        "email": [1],
        "aws-access-key": [3],
    }
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert written[1] == rows[1]
    assert MAIL not in out.read_text() + json.dumps(found)
    assert KEY not in out.read_text() + json.dumps(found)


def test_half_a_surrogate_pair_is_written_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "\\ud800 lone, é"}\n', encoding="utf-8")
    out = tmp_path / "out.jsonl"
    screen_file(Asked(str(file), out, rules_only=True), Silence())
    assert json.loads(out.read_text(encoding="utf-8")) == {"text": "\ud800 lone, é"}


def test_a_run_learns_redacted_rows_and_reports_them(place: Place) -> None:
    file = place.folder / "train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2]["text"] += f" {MAIL}"
    rows[5]["text"] += f" {KEY}"
    write_rows(file, rows)
    result = place.run(FILTERS | {"safety.filters.secrets": "block"})
    record = place.store.find(result.run)
    safety = json.loads((record.path / "safety.json").read_text())["filters"]
    kinds = {k["kind"]: k["first_rows"] for k in safety["data"]["kinds"]}
    places = {k["kind"]: k["where"] for k in safety["data"]["kinds"]}
    assert places["email"] == "train.jsonl: 3"
    assert kinds["email"] == [3]
    assert kinds["aws-access-key"] == [6]
    assert safety["data"]["dropped"] == 1
    kept = (record.path / "rows.arrow").read_bytes()
    assert MAIL.encode() not in kept
    assert KEY.encode() not in kept
    page = (record.path / "report.html").read_text()
    assert 'id="filters"' in page
    assert MAIL not in page
    report = json.loads((record.path / "data_report.json").read_text())
    assert {"filter-email", "filter-dropped"} <= {f["code"] for f in report["findings"]}
    blocked, plain = api.predict(
        record.id, [{"text": f"use {KEY}"}, {"text": "hello there"}], place.store
    )
    assert blocked["blocked"] is True
    assert "label" in plain


def test_without_the_encoder_rules_work_and_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    from luthier.stages.safety.filtering.heads import Heads

    Heads.load.cache_clear()
    made = guard_of(Filters(), seed=0)
    Heads.load.cache_clear()
    assert "luthier[embedded]" in made.missing
    assert made.judge(f"mail {MAIL}").action == "redact"
