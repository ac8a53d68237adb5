"""The ledger: what it counts, what it refuses, and that no crash makes it forget."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from luthier.core.errors import FixRecipe, RepairStore
from luthier.privacy.accountant import epsilon, total
from luthier.privacy.charge import SAMPLED, SELECTION, Charge
from luthier.privacy.event import Bounded, Sampled
from luthier.privacy.ledger import Allowance, Ledger, ledger_path

DATA, DELTA = "d" * 64, 1e-5
CHILD = Path(__file__).with_name("ledger_child.py")


def charge(run: str = "one", steps: int = 10, noise: float = 1.0) -> Charge:
    return Charge(run, SAMPLED, noise, 0.01, steps)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(ledger_path(tmp_path, DATA), DATA)


def again(ledger: Ledger) -> Ledger:
    return Ledger.open(ledger.path, DATA)


def test_an_empty_ledger_has_spent_nothing(ledger: Ledger) -> None:
    assert ledger.spent(DELTA) == 0
    assert again(ledger).charges() == []


def test_charges_of_all_runs_add_up(ledger: Ledger) -> None:
    ledger.charge(charge("one", 10))
    again(ledger).charge(charge("two", 20))
    ledger.charge(charge("one", 30))
    assert ledger.spent(DELTA) == epsilon(1.0, 0.01, 60, DELTA)
    assert ledger.spent(DELTA, "one") == epsilon(1.0, 0.01, 40, DELTA)
    assert again(ledger).spent(DELTA) == ledger.spent(DELTA)


def test_unlike_charges_add_up(ledger: Ledger) -> None:
    ledger.charge(charge(steps=100))
    ledger.charge(Charge("search", SELECTION, 0.0, 1.0, 1, epsilon=0.7, delta=1e-7))
    expected = total([Sampled(1.0, 0.01, 100), Bounded(0.7, 1e-7)], DELTA)
    assert ledger.spent(DELTA) == expected


def test_a_second_attempt_is_charged_again(ledger: Ledger) -> None:
    for _ in range(2):
        again(ledger).charge(charge(steps=50))
    assert ledger.spent(DELTA) == epsilon(1.0, 0.01, 100, DELTA)


def test_a_charge_beyond_the_budget_is_refused_and_not_written(ledger: Ledger) -> None:
    allowance = Allowance(epsilon(1.0, 0.01, 100, DELTA), DELTA)
    ledger.plan(charge(steps=60), allowance)
    ledger.charge(charge(steps=60))
    with pytest.raises(FixRecipe, match="dataset_budget"):
        ledger.charge(charge(steps=50))
    assert ledger.spent(DELTA) == epsilon(1.0, 0.01, 60, DELTA)
    ledger.charge(charge(steps=40))


def test_two_runs_cannot_spend_the_same_budget(ledger: Ledger) -> None:
    allowance = Allowance(epsilon(1.0, 0.01, 100, DELTA), DELTA)
    ledger.plan(charge("one", 60), allowance)
    with pytest.raises(FixRecipe, match="one hold more"):
        again(ledger).plan(charge("two", 60), allowance)
    ledger.charge(charge("one", 10))
    with pytest.raises(FixRecipe, match="dataset_budget"):
        again(ledger).plan(charge("two", 60), allowance)
    ledger.close("one")
    again(ledger).plan(charge("two", 60), allowance)


def test_of_many_runs_at_once_only_as_many_get_through_as_the_budget_holds(
    ledger: Ledger,
) -> None:
    allowance = Allowance(epsilon(1.0, 0.01, 100, DELTA), DELTA)

    def attempt(run: int) -> bool:
        own = again(ledger)
        try:
            own.plan(charge(f"run {run}", 30), allowance)
        except FixRecipe:
            return False
        for _ in range(3):
            own.charge(charge(f"run {run}", 10))
        return True

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(attempt, range(6)))
    assert sum(done) == 3
    assert ledger.spent(DELTA) == epsilon(1.0, 0.01, 90, DELTA)


def _lower_steps(text: str) -> str:
    return text.replace('"steps":10', '"steps":1', 1)


def _without_line(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:1] + lines[2:])


def _without_end(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-1])


def _swapped(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([lines[0], lines[2], lines[1], *lines[3:]])


@pytest.mark.parametrize("edit", [_lower_steps, _without_line, _without_end, _swapped])
def test_a_ledger_edited_by_hand_is_refused(ledger: Ledger, edit: object) -> None:
    for steps in (10, 20, 30):
        ledger.charge(charge(steps=steps))
    text = ledger.path.read_text()
    changed = edit(text)  # type: ignore[operator]
    assert changed != text
    ledger.path.write_text(changed)
    with pytest.raises(RepairStore, match="restore"):
        again(ledger)
    with pytest.raises(RepairStore, match="restore"):
        ledger.spent(DELTA)


def test_a_deleted_ledger_is_not_an_empty_one(ledger: Ledger) -> None:
    ledger.charge(charge())
    ledger.path.unlink()
    with pytest.raises(RepairStore, match="restore"):
        again(ledger)
    with pytest.raises(RepairStore, match="restore"):
        Ledger.known(ledger.path, ledger.dataset)


def test_data_that_never_spent_anything_have_no_ledger(tmp_path: Path) -> None:
    place = ledger_path(tmp_path, "never")
    assert Ledger.known(place, "never") is None
    assert not place.parent.exists()


def test_a_missing_hash_is_refused(ledger: Ledger) -> None:
    ledger.charge(charge())
    ledger.path.with_name(ledger.path.name + ".tip").unlink()
    with pytest.raises(RepairStore, match="restore"):
        again(ledger)


def test_the_ledger_of_other_data_is_refused(ledger: Ledger) -> None:
    with pytest.raises(RepairStore, match="another data set"):
        Ledger.open(ledger.path, "e" * 64)


def test_a_crash_between_entry_and_hash_keeps_the_entry(ledger: Ledger) -> None:
    ledger.charge(charge(steps=10))
    kept = ledger.path.with_name(ledger.path.name + ".tip")
    before = kept.read_text()
    ledger.charge(charge(steps=20))
    kept.write_text(before)
    assert again(ledger).spent(DELTA) == epsilon(1.0, 0.01, 30, DELTA)
    ledger.charge(charge(steps=30))
    assert again(ledger).spent(DELTA) == epsilon(1.0, 0.01, 60, DELTA)


def test_a_torn_line_is_mended_and_counting_goes_on(ledger: Ledger) -> None:
    ledger.charge(charge(steps=10))
    with ledger.path.open("ab") as file:
        file.write(b'{"number":3,"ti')
    again(ledger).charge(charge(steps=20))
    ledger.charge(charge(steps=30))
    assert ledger.spent(DELTA) == epsilon(1.0, 0.01, 60, DELTA)


def test_a_beginning_cut_short_by_a_crash_is_made_up_for(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, DATA)
    path.parent.mkdir()
    path.with_name(path.name + ".tip").write_text(json.dumps({"tip": "0" * 64}))
    path.write_bytes(b'{"numb')
    Ledger.open(path, DATA).charge(charge(steps=10))
    assert Ledger.open(path, DATA).spent(DELTA) == epsilon(1.0, 0.01, 10, DELTA)


def test_a_killed_run_is_never_charged_less_than_it_did(tmp_path: Path) -> None:
    path, released = ledger_path(tmp_path, DATA), tmp_path / "released"
    chance = random.Random(0)
    for _ in range(10):
        command = [sys.executable, str(CHILD), str(path), DATA, str(released)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        child.wait()
        child.stdout.close()
        charged = sum(c.steps for c in Ledger.open(path, DATA).charges())
        done = released.stat().st_size
        assert charged >= done
    assert done > 0
