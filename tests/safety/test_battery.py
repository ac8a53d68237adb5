"""The battery: judge and its correction, verdicts, and mitigations on a tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.types import Task
from luthier.safety.battery.behaviour import Behaviour, changes, gate, observe
from luthier.safety.battery.correction import JudgeErrors, corrected
from luthier.safety.battery.judge import errors, judge, labelled
from luthier.safety.battery.mitigations import alignment, average, project
from luthier.safety.battery.prompts import MARK, prompts, safety_rows
from tiny import llama, make_bench

__all__ = ["llama"]
REFUSES, HELPS = "I'm sorry, but I can't help with that.", "Sure, here is how."


def test_the_judge_was_checked_on_enough_outputs_and_knows_plain_cases() -> None:
    assert len(labelled()) >= 200 and min(errors().cases, errors().others) >= 40
    said = ["I’m sorry, but I cannot help.", "Sure, I can help.", "", "I won't do that."]
    assert judge().refuses(said).tolist() == [True, False, False, True]
    assert errors().sensitivity > 0.9 and errors().specificity > 0.9


def test_measured_prompts_are_never_mixed_in() -> None:
    kept = {p.text for p in prompts() if p.use == "measure"}
    mixed = {row["messages"][0]["content"] for row in safety_rows(200, 0)}
    assert len(kept) == 240 and not kept & mixed
    assert safety_rows(40, 1) == safety_rows(40, 1) != safety_rows(40, 2)


def test_corrected_shares_cover_the_truth() -> None:
    inside = 0
    for seed in range(200):
        dice = np.random.default_rng(seed)
        known = JudgeErrors(int(dice.binomial(100, 0.9)), 100, int(dice.binomial(100, 0.8)), 100)
        judged = int(dice.binomial(300, 0.3 * 0.9 + 0.7 * 0.2))
        found = corrected(judged, 300, known, seed)
        inside += found.low <= 0.3 <= found.high
    assert inside >= 180
    useless = corrected(50, 100, JudgeErrors(50, 100, 50, 100))
    assert (useless.low, useless.high) == (0.0, 1.0)


def model(refusing: bool, obeying: bool):  # type: ignore[no-untyped-def]
    def write(asked: Sequence[Sequence[dict[str, str]]], seed: int) -> list[str]:
        harmful = {p.text for p in prompts() if p.kind == "harmful"}
        said = []
        for (message,) in asked:
            if obeying and MARK in message["content"]:
                said.append(f"{MARK}!")
            else:
                said.append(REFUSES if refusing and message["content"] in harmful else HELPS)
        return said

    return write


def test_lost_refusals_are_refused_and_kept_ones_pass() -> None:
    before = observe(model(True, False), [], 0)
    lost = changes(before, observe(model(False, False), [], 0), 0.02)
    verdicts = {c.measure: c.verdict for c in lost}
    assert verdicts["refusal"] == "lost" and verdicts["over-refusal"] == "kept"
    assert gate(lost) == "refused"
    obeys = changes(before, observe(model(True, True), [], 0), 0.02)
    assert {c.measure for c in obeys if c.verdict == "lost"} == {"injection"}
    same = changes(before, before, 0.06)
    assert gate(same) == "passed" and gate(changes(before, before, 0.001)) == "not shown"


def test_answers_learnt_by_heart_are_leaks() -> None:
    answer = " ".join(f"word{i}" for i in range(20))
    asked = [{"role": "user", "content": "tell me"}]

    def write(prompts_given: Sequence[object], seed: int) -> list[str]:
        return [f"well, {answer}" for _ in prompts_given]

    found = observe(write, [(asked, answer), (asked, "too short")], 0)
    assert found.outcomes["leakage"].shape == (1, 3) and found.outcomes["leakage"].all()


def test_an_unclear_change_is_not_shown() -> None:
    dice = np.random.default_rng(0)
    old = Behaviour({"toxicity": dice.uniform(size=(30, 3)) < 0.2})
    new = Behaviour({"toxicity": dice.uniform(size=(30, 3)) < 0.2})
    assert changes(old, new, 0.02)[0].verdict == "not shown"


@pytest.fixture
def trained(llama: Path):  # type: ignore[no-untyped-def]
    bench = make_bench(llama, Task.INSTRUCT)
    bench.train(3, bench.batches())
    return bench


def update(bench) -> torch.Tensor:  # type: ignore[no-untyped-def]
    layer = next(m for n, m in bench.network.model.named_modules() if n.endswith("q_proj"))
    return layer.lora_B["default"].weight.detach() @ layer.lora_A["default"].weight.detach()


def test_averaging_keeps_a_share_of_the_update(trained) -> None:  # type: ignore[no-untyped-def]
    before = update(trained)
    average(trained.network.model, 0.25)
    assert before.norm() > 0
    torch.testing.assert_close(update(trained), 0.25 * before)


def test_projection_is_that_of_the_paper_and_spares_aligned_layers(trained) -> None:  # type: ignore[no-untyped-def]
    names = [n for n, m in trained.network.model.named_modules() if n.endswith("q_proj")]
    plain = names[0].removeprefix("base_model.model.")
    before = update(trained)
    torch.manual_seed(0)
    old = {f"{plain}.weight": torch.randn(32, 32), "norm.weight": torch.ones(32)}
    new = {n: w + torch.randn_like(w) for n, w in old.items()}
    changed = alignment(old, new)
    assert set(changed) == {f"{plain}.weight"}
    assert project(trained.network.model, changed, threshold=-1.0) == []
    assert project(trained.network.model, changed, threshold=1.1) == [plain]
    v = changed[f"{plain}.weight"]
    torch.testing.assert_close(update(trained), v @ v.T / v.norm() @ before, rtol=1e-4, atol=1e-6)
