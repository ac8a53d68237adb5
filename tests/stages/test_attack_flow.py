"""Attacks and adversarial training from the recipe to the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.types import Interval, Task
from luthier.evaluate.interval import Comparison
from luthier.recipe.safety.adversarial import Adversarial
from luthier.safety.lexicon import Lexicon
from luthier.stages import api
from luthier.stages.forecast.attacks import attacking
from luthier.stages.safety.attacking import synonyms
from luthier.stages.safety.attacking.attack import Asked
from luthier.stages.safety.attacking.checked import Targets
from luthier.stages.safety.attacking.defences import WORDS, advice, fitting
from luthier.stages.safety.attacking.harden import _told, _words
from luthier.store.store import Store
from tiny import task_rows

CHECKED = {
    "safety.adversarial.kind": "words",
    "safety.adversarial.radius": 0.3,
}
UNDISTURBED = {"safety.adversarial.kind": "none"}
ATTACKED = {
    "safety.checks.poison": False,
    "safety.checks.queries": 20,
    "safety.checks.rows": 10,
}


def test_a_hardened_run_is_attacked_and_sees_through_characters(place: Place) -> None:
    result = place.run(CHECKED)
    again = api.attack(result.run, place.store, attacks=["invisible", "ball"], queries=10, rows=8)
    kept = json.loads((result.path / "attack.json").read_text(encoding="utf-8"))
    assert kept == again
    assert again["attacks"][0]["success"]["10"]["value"] == 0.0
    answers = list(
        api.predict(result.run, [{"text": "my loan"}, {"text": "my l\u200boаn"}], place.store)
    )
    assert answers[0] == answers[1]
    contract = json.loads((result.path / "model" / "contract.json").read_text(encoding="utf-8"))
    assert contract["canonical"] == 1
    made = api.certify(result.run, place.store, draws=30, rows=8)
    assert made == json.loads((result.path / "certificate.json").read_text(encoding="utf-8"))
    certain = [made["certified"][str(r)]["value"] for r in range(len(made["certified"]))]
    assert certain == sorted(certain, reverse=True)
    assert made["rows"] == 8
    assert is_whole(place.store.find(result.run))
    with pytest.raises(FixRecipe, match="did you mean 'words'"):
        api.attack(result.run, place.store, attacks=["word"])


def test_slips_are_undone_in_training_and_in_use(place: Place) -> None:
    result = place.run({"safety.adversarial.kind": "none", "safety.adversarial.spelling": True})
    kept = json.loads((result.path / "model" / "spelling.json").read_text(encoding="utf-8"))
    word = max((w for w in kept["rows"] if len(w) > 5), key=lambda w: kept["rows"][w])
    slip = word[0] + word[2] + word[1] + word[3:]
    answers = list(api.predict(result.run, [{"text": f"a {w}"} for w in (word, slip)], place.store))
    assert answers[0] == answers[1]
    contract = json.loads((result.path / "model" / "contract.json").read_text(encoding="utf-8"))
    assert len(contract["spelling"]) > 8


def test_words_nobody_knows_are_read_as_one_in_training_and_in_use(place: Place) -> None:
    asked: dict[str, Any] = {"kind": "none", "unknown_words": "one"}
    with pytest.raises(FixRecipe, match="needs `spelling: true`"):
        place.run({"safety.adversarial": asked})
    asked |= {"spelling": True}
    with pytest.raises(FixRecipe, match="no token for unknown words"):
        place.run({"safety.adversarial": asked})
    short = {"model.id": "embedded:encoder", "train.max_steps": 2, "adapter.top_layers": 1}
    result = place.run({"safety.adversarial": asked, **short})
    rows = [{"text": f"a loan for {name}"} for name in ("zzqabry", "wwoxulip", "today")]
    answers = list(api.predict(result.run, rows, place.store))
    assert answers[0] == answers[1] != answers[2]
    made = api.explain(result.run, place.store, texts=[rows[0]["text"]])
    (told,) = made["explanations"]
    assert "zzqabry" in json.dumps(told)


def test_near_words_are_read_as_one_in_training_and_in_use(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lexicon = Lexicon(
        np.asarray([0, 1]), np.asarray([[1], [0]]), {0: "unheard", 1: "unseen"}
    )  # fmt: skip
    monkeypatch.setattr(synonyms, "lexicon_of", lambda *_: lexicon)
    asked = {"safety.adversarial.kind": "none", "safety.adversarial.synonyms": True}
    result = place.run({**asked, "safety.adversarial.spelling": True})
    model = result.path / "model"
    assert json.loads((model / "synonyms.json").read_text(encoding="utf-8")) == {
        "unseen": "unheard"
    }
    assert (model / "spelling.json").is_file()
    rows = [{"text": f"an {word} loan"} for word in ("unheard", "unseen")]
    answers = list(api.predict(result.run, rows, place.store))
    assert answers[0] == answers[1]
    contract = json.loads((model / "contract.json").read_text(encoding="utf-8"))
    assert len(contract["synonyms"]) > 8


def test_a_run_tells_how_it_stands_under_attack(place: Place) -> None:
    result = place.run({**CHECKED, **ATTACKED})
    told = json.loads((result.path / "safety.json").read_text(encoding="utf-8"))["robustness"]
    assert [a["attack"] for a in told["attacks"]] == ["words", "typos", "invisible", "lookalikes"]
    for found in told["attacks"]:
        low, value = found["robust_accuracy"]["low"], found["robust_accuracy"]["value"]
        assert low <= value <= found["accuracy"]["value"]
        assert found["mean_queries"] <= 20
    # What is undone before the tokenizer cannot change an answer.
    turned = {a["attack"]: a["success"]["20"]["value"] for a in told["attacks"]}
    assert turned["invisible"] == turned["lookalikes"] == 0.0
    page = result.report.read_text(encoding="utf-8")
    assert 'id="robustness"' in page and "lookalikes" in page
    assert "letters of other scripts that look the same" in page and "What to do" in page
    evidence = json.loads((result.path / "evidence.json").read_text(encoding="utf-8"))
    status = {line["what"]: line["status"] for line in evidence["lines"]}
    assert status["attacked: evasion with a stated number of queries"] == "measured"


def test_a_run_is_trained_again_against_what_was_found(place: Place) -> None:
    asked = {"safety.checks.harden": True, "safety.checks.margin": 0.001, "train.max_steps": 12}
    result = place.run({**ATTACKED, **asked, "safety.checks.rows": 30})
    told = json.loads((result.path / "safety.json").read_text(encoding="utf-8"))["robustness"]
    made = told["harden"]
    assert made["defence"] in ("words", "words and spelling", "spelling", "canonicalise")
    assert [b["rows"] for b in made["before"]] == [a["rows"] for a in made["after"]]
    recipe = json.loads((result.path / "recipe.json").read_text(encoding="utf-8"))
    assert (recipe["safety"]["adversarial"] is not None) is made["accepted"]
    contract = json.loads((result.path / "model" / "contract.json").read_text(encoding="utf-8"))
    assert ("canonical" in contract) is made["accepted"]
    assert "Hardening" in result.report.read_text(encoding="utf-8")
    assert is_whole(place.store.find(result.run))
    assert not (result.path / "harden").exists()
    assert len(list(api.predict(result.run, [{"text": "my loan"}], place.store))) == 1
    assert {a["attack"] for a in told["attacks"]} == {a["attack"] for a in made["after"]}


@pytest.mark.parametrize(
    ("low", "kept", "accepted"),
    [(-0.01, 16, True), (-0.03, 16, False), (0.0, 8, False), (0.0, 9, False)],
)
def test_hardening_is_kept_when_it_pays_and_quality_holds(
    low: float, kept: int, accepted: bool
) -> None:
    clean = Comparison("accuracy", 0.9, 0.9, Interval(0.0, low, 0.02), 0.5, "McNemar exact")
    rows = 20
    attacked = Targets(("a",) * rows, (0,) * rows, Asked())
    before, after = ([{"attack": "words", "held": _first(n, rows)}] for n in (8, kept))
    told = _told(attacked, before, after, clean, 0.02)
    assert told["accepted"] is accepted
    assert told["gained"]["value"] == pytest.approx((kept - 8) / rows)
    assert "held" not in told["after"][0]
    # One row more of twenty is what luck gives.
    told |= {"defence": "words", "seconds": (1.0, 2.0)}
    assert ("luck" in _words(told, 0.02)[0]) is (kept < 10)


def test_the_defence_fits_what_was_found(place: Place) -> None:
    plain = place.recipe({"safety.checks.harden": True})
    assert fitting(plain, _found(words=0.5, invisible=0.5), 0.02, True) == Adversarial(**WORDS)
    characters = fitting(plain, _found(words=0.9, invisible=0.5), 0.02, True)
    assert characters == Adversarial(kind="none", canonicalise=True)
    slips = fitting(plain, _found(words=0.89, typos=0.3), 0.02, True)
    assert slips == Adversarial(kind="none", spelling=True)
    both = fitting(plain, _found(words=0.5, typos=0.3), 0.02, True)
    assert both is not None and both.kind == "words" and both.spelling
    has = place.recipe({"safety.checks.harden": True, "safety.adversarial.spelling": True})
    assert fitting(has, _found(typos=0.3), 0.02, True) is None
    assert fitting(place.recipe(CHECKED), _found(words=0.2), 0.02, True) is None


def test_what_is_no_encoder_is_trained_against_words_alone(place: Place) -> None:
    plain = place.recipe({"safety.checks.harden": True})
    assert fitting(plain, _found(words=0.5, typos=0.3), 0.02, False) == Adversarial(**WORDS)
    assert fitting(plain, _found(typos=0.3, invisible=0.1), 0.02, False) is None
    assert fitting(place.recipe(CHECKED), _found(words=0.2), 0.02, False) is None


def test_what_may_be_done_is_said(place: Place) -> None:
    (kept,) = advice(place.recipe(), _found(words=0.9, typos=0.89), True)
    assert "No attack cost more than 2 points" in kept
    fits, again = advice(place.recipe(), _found(typos=0.3, ball=0.9), True)
    assert "safety.adversarial: {kind: none, canonicalise: true, spelling: true}" in fits
    assert "safety.checks.harden" in again
    private = place.recipe({"safety.privacy.epsilon": 8})
    fits, none = advice(private, _found(words=0.5, typos=0.3, invisible=0.1), True)
    assert "safety.adversarial: {kind: none, canonicalise: true}" in fits
    assert "Against typos and words a private run has no defence" in none
    (done,) = advice(place.recipe(CHECKED), _found(words=0.5), True)
    assert "does already" in done
    (none,) = advice(place.recipe(), _found(ball=0.5), True)
    assert none == "Against ball nothing is offered."


def _first(right: int, rows: int) -> list[bool]:
    return [row < right for row in range(rows)]


def _found(**robust: float) -> list[dict[str, Any]]:
    return [
        {"attack": name, "accuracy": {"value": 0.9}, "robust_accuracy": {"value": value}}
        for name, value in robust.items()
    ]


def test_a_plan_counts_attacks_and_hardening(place: Place) -> None:
    def beside(**checks: Any) -> float:
        changes = {f"safety.checks.{name}": value for name, value in checks.items()}
        recipe = place.recipe(changes).model_copy(update={"task": Task.CLASSIFY})
        return attacking(recipe, 60.0, 0.01)

    once = beside(attack=True)
    assert beside(attack=False) == 0.0
    assert beside(rows=200) == beside(queries=200) == pytest.approx(2 * once)
    # Hardening trains once more, and attacks before and after that.
    assert beside(harden=True) == pytest.approx(3 * once + 60.0)
    longest = {"safety.checks.rows": 100_000}
    plans = [api.plan(place.recipe(c), place.folder).estimate["seconds"] for c in ({}, longest)]
    assert plans[1] > 2 * plans[0]


def test_what_does_not_go_together_is_refused(place: Place) -> None:
    private = {"safety.privacy.epsilon": 8, "safety.privacy.force": True}
    refused = {
        "not proved together": CHECKED,
        "harden": {"safety.checks.harden": True},
        "words of private rows": UNDISTURBED | {"safety.adversarial.spelling": True},
        "private rows say": UNDISTURBED | {"safety.adversarial.synonyms": True},
    }
    for why, changes in refused.items():
        with pytest.raises(FixRecipe, match=why):
            api.plan(place.recipe(changes | private), place.folder)
        with pytest.raises(FixRecipe, match=why):
            place.run(changes | private)
    plan = api.plan(place.recipe(UNDISTURBED | private), place.folder)
    assert plan.resolved.safety is not None and plan.resolved.safety.adversarial is not None
    with pytest.raises(CheckRun):
        api.attack("no-such-run", place.store)


def test_exchanged_words_run_through_every_layer(place: Place) -> None:
    asked = {**CHECKED, "adapter.top_layers": 1}
    plan = api.plan(place.recipe(asked), place.folder)
    assert not plan.legal["prefix_cache"]["on"] and "exchanged" in plan.legal["prefix_cache"]["why"]
    with pytest.raises(FixRecipe, match="prefix_cache"):
        api.plan(place.recipe({**asked, "fast.prefix_cache": "on"}), place.folder)
    plain = api.plan(place.recipe({"adapter.top_layers": 1}), place.folder)
    assert plain.legal["prefix_cache"]["on"]


@pytest.mark.parametrize(("radius", "may_begin"), [(0.1, False), (0.0, True)])
def test_training_against_attacks_is_not_thrown_away_for_the_probe(
    place: Place, radius: float, may_begin: bool
) -> None:
    place.run({"safety.adversarial": {"kind": "freelb", "radius": radius},
               "train.learning_rate": 0.5})  # fmt: skip
    record = place.store.find("last")
    kept = json.loads((record.path / "best" / "best.json").read_text(encoding="utf-8"))
    looked = {p.step for p in place.store.curve(record.id) if p.name == "validation accuracy"}
    assert (0 in looked) == may_begin
    assert may_begin or kept["step"] > 0


def test_a_phrase_is_learnt_and_tried(place: Place) -> None:
    result = place.run({})
    told = api.attack(result.run, place.store, attacks=["trigger"], rows=8)
    (found,) = told["attacks"]
    assert found["rows"] == 8 and found["learning_queries"] > 0
    assert len(found["phrases"]) == 2
    assert found["robust_accuracy"]["value"] <= found["accuracy"]["value"]


def test_a_model_that_writes_is_asked_in_disguise(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    result = place.run({"task": "instruct", "data.test": None, "safety.checks.battery": "off"})
    told = api.attack(result.run, place.store, attacks=["base64", "document"], rows=3)
    assert [a["attack"] for a in told["attacks"]] == ["base64", "document"]
    assert {a["threat"] for a in told["attacks"]} == {"misuse", "prompt injection"}
    assert all(a["rows"] == 3 and "refused_plainly" in a for a in told["attacks"])
    with pytest.raises(FixRecipe, match="did you mean 'rot13'"):
        api.attack(result.run, place.store, attacks=["rot12"])
    with pytest.raises(FixRecipe, match="requests of our own"):
        api.attack(result.run, place.store, data="train.jsonl")
