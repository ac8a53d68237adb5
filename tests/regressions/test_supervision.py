"""A plan tells how much is learnt, cut and left out, with row numbers."""

from __future__ import annotations

from pathlib import Path

from luthier.core.types import Level, Task
from luthier.stages.planning import show_masks
from luthier.stages.workshop import token_findings
from tiny import make_bench, task_rows


def test_shares_and_rows_are_told(llama: Path) -> None:
    rows = task_rows(Task.INSTRUCT, 6)
    rows[1]["messages"][0]["content"] = "late " * 80
    rows[4]["messages"].pop()
    bench = make_bench(llama, Task.INSTRUCT, rows=rows, max_tokens=60)
    found = {f.code: f for f in token_findings(bench.encoded, bench.contract)}
    assert found["truncated"].rows == (2,) and found["truncated"].level is Level.WARNING
    assert found["dropped"].rows == (2, 5) and found["dropped"].count == 2
    count = bench.encoded.count
    assert f"{count.supervised} of {count.tokens} tokens" in found["supervised"].message
    assert 0 < count.supervised < count.tokens


def test_the_mask_is_shown_as_text(llama: Path) -> None:
    bench = make_bench(llama, Task.INSTRUCT)
    for index, shown in enumerate(show_masks(bench.encoded, bench.base.tokenizer)):
        learnt = "".join(text for text, learn in shown if learn)
        answer = bench.table.row(index)["messages"][-1]["content"]
        assert learnt == answer + "</s>"
        assert "".join(text for text, _ in shown) == (
            "<s>" + bench.table.row(index)["messages"][0]["content"] + "\n" + learnt
        )
