"""Are explanations of written answers fast and faithful, beside Captum's and Inseq's for language
models?"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SET = "e2e_nlg"
ROWS = {"train": 800, "validation": 96, "test": 60}
STEPS, TEXTS, ROUNDS, NEW = 150, 6, 3, 16
ABLATION, CAPTUM_IG = "Captum LLMAttribution, FeatureAblation", "Captum LLMGradientAttribution, IG"
AT_ONCE = "Captum LLMAttribution, FeatureAblation, the answer in one pass"
INSEQ_IG, INSEQ_OCCLUSION = "Inseq integrated_gradients", "Inseq occlusion"
INSEQ_SALIENCY = "Inseq saliency"
PEERS = (ABLATION, AT_ONCE, CAPTUM_IG, INSEQ_IG, INSEQ_OCCLUSION, INSEQ_SALIENCY)
MUST, AIM = 3, 8
Scores = Callable[[Any], np.ndarray]
"""A peer: scores of words (W,) for a question."""


def tuned(data: Path, folder: Path) -> tuple[Any, list[str]]:
    """The embedded causal model after a whole run on rows of the set, and prompts of its test."""
    from luthier.core.progress import Silence
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages import api
    from luthier.stages.parts.keeping import open_tuned
    from luthier.store.store import Store

    folder.mkdir(parents=True, exist_ok=True)
    prompts = []
    for part, count in ROWS.items():
        lines = (data / SET / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        random.Random(0).shuffle(lines)
        (folder / f"{part}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
        prompts = [str(json.loads(line)["prompt"]) for line in lines[:count]]
    store = Store.open(folder=folder / "home")
    if not [r for r in store.list() if r.status == "finished"]:
        content = {
            "task": "instruct",
            "data": {part: f"{part}.jsonl" for part in ROWS},
            "model": {"id": "embedded:causal"},
            "train": {"max_steps": STEPS},
            "evaluate": {"draws": 100, "max_new_tokens": NEW},
        }
        api.run(recipe_from_dict(content), folder, store=store)
    done = [r for r in store.list() if r.status == "finished"]
    return open_tuned(done[0].path, Silence()), list(dict.fromkeys(prompts))


def asked(model: Any, prompts: Sequence[str]) -> list[Any]:
    """Why the model wrote what it writes to each prompt."""
    from luthier.explain.attribution import Question
    from luthier.explain.passages import conversation_of
    from luthier.stages.parts.generation import write_answers

    said = [[{"role": "user", "content": prompt}] for prompt in prompts]
    wrote = write_answers(model.network, model.contract, said, NEW)
    pairs = zip(said, wrote, strict=True)
    return [Question(conversation_of(s, w, model.contract, "the bench")) for s, w in pairs if w]


def split(question: Any) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of the prompt (P,) and of the answer (A,)."""
    ids = question.passage.ids
    return ids[: -question.passage.answer], ids[-question.passage.answer :]


def words_from(tokens: np.ndarray, question: Any) -> np.ndarray:
    """Scores of words (W,) from those of the prompt's tokens (P,)."""
    from luthier.explain.attribution import by_word

    whole = np.concatenate([tokens, np.zeros(question.passage.answer)])
    return by_word(whole, question.passage, True)[0]


def captum_peers(model: Any) -> dict[str, Scores]:
    """Captum's two ways for language models, as they come."""
    import torch
    from captum.attr import (
        FeatureAblation,
        LayerIntegratedGradients,
        LLMAttribution,
        LLMGradientAttribution,
        TextTemplateInput,
        TextTokenInput,
    )

    language, tokenizer = model.network.plain, model.base.tokenizer
    ablation = LLMAttribution(FeatureAblation(language), tokenizer)
    layer = LayerIntegratedGradients(language, language.get_input_embeddings())
    gradient = LLMGradientAttribution(layer, tokenizer)

    def by_ablation(question: Any, at_once: bool) -> np.ndarray:
        passage = question.passage
        parts, last = [], 0
        for start, stop in passage.words:
            parts.append(passage.text[last:start].replace("{", "{{").replace("}", "}}") + "{}")
            last = stop
        shape = "".join(parts) + passage.text[last:].replace("{", "{{").replace("}", "}}")
        given = TextTemplateInput(shape, passage.spelt)
        answer = torch.from_numpy(split(question)[1])
        told = ablation.attribute(given, answer, forward_in_tokens=not at_once)
        return told.seq_attr.double().numpy()

    def by_gradient(question: Any) -> np.ndarray:
        given = TextTokenInput(question.passage.text, tokenizer)
        prompt, answer = split(question)
        assert given.inp_tensor[0].tolist() == prompt.tolist(), "tokens differ"
        told = gradient.attribute(given, torch.from_numpy(answer), n_steps=50)
        return words_from(told.seq_attr.double().numpy(), question)

    return {
        ABLATION: lambda question: by_ablation(question, False),
        AT_ONCE: lambda question: by_ablation(question, True),
        CAPTUM_IG: by_gradient,
    }


def inseq_peers(model: Any) -> dict[str, Scores]:
    """Inseq's methods, as they come; the scores of written tokens are added."""
    import inseq

    def peer(method: str, **options: Any) -> Scores:
        judge = inseq.load_model(model.network.plain, method, tokenizer=model.base.tokenizer)

        def scores(question: Any) -> np.ndarray:
            prompt, _ = split(question)
            whole = question.passage.text + model.base.tokenizer.decode(split(question)[1])
            told = judge.attribute(
                question.passage.text, whole, show_progress=False, pretty_progress=False,
                step_scores=[], **options,
            )  # fmt: skip
            found = told.sequence_attributions[0].target_attributions.float().numpy()
            each = found.sum(-1) if found.ndim == 3 else found
            return words_from(np.nan_to_num(each).sum(1)[: len(prompt)].astype(float), question)

        return scores

    return {
        INSEQ_IG: peer("integrated_gradients"),
        INSEQ_OCCLUSION: peer("occlusion"),
        INSEQ_SALIENCY: peer("saliency"),
    }


def measure(data: Path, folder: Path, texts: int = TEXTS) -> dict[str, Any]:
    """Seconds and faithfulness of every method and peer on the same answers, and the choice."""
    from luthier.explain.attribution import Attribution
    from luthier.explain.attributions.build import members
    from luthier.explain.gate.faith import measure as faith_of
    from luthier.explain.gate.sanity import likeness
    from luthier.explain.gate.verdict import decide
    from luthier.explain.subject import Subject
    from luthier.models.adapters.folding import folded
    from luthier.stages.workshop import pad_id

    model, prompts = tuned(data, folder)
    questions = asked(model, prompts[:texts])
    told = peers_on(questions, {**captum_peers(model), **inseq_peers(model)}, folder / "peers.json")
    subject = Subject.of(model.network, model.head, model.base.tokenizer, pad_id(model.base))
    methods = dict(members(True))
    # As `luthier explain` does, which reads with the adapters inside the weights.
    with folded(model.network):
        found = faith_of(subject, questions, methods)
        verdict = decide(found, methods, likeness(subject, questions, found.told, methods), 0)
        ours = [n for n in methods if n not in ("rollout", "attention")]
        seconds = {name: timed(subject, questions, methods[name]) for name in ours}
    for name, each in told.items():
        scores = [np.asarray(one["scores"]) for one in each]
        found.add(subject, name, [Attribution(name, one, True) for one in scores])
        spent = np.asarray([one["seconds"] for one in each])
        seconds[name] = [float(spent[part].mean()) for part in rounds(len(questions))]
    return {
        "chosen": verdict.chosen,
        "texts": len(questions),
        "words": float(np.mean([len(q.passage.words) for q in questions])),
        "tokens": float(np.mean([q.passage.answer for q in questions])),
        "seconds": seconds,
        **faithfulness(found, [*ours, *told], verdict.chosen),
    }


def timed(subject: Any, questions: Sequence[Any], method: Any) -> list[float]:
    """CPU seconds for an explanation, in each round."""
    found = []
    for part in rounds(len(questions)):
        begun = time.process_time()
        method.explain(subject, [questions[i] for i in part])
        found.append((time.process_time() - begun) / len(part))
    return found


def rounds(count: int) -> list[list[int]]:
    """The places of texts that are timed together."""
    return [list(range(first, count, ROUNDS)) for first in range(ROUNDS)]


def peers_on(
    questions: Sequence[Any], peers: dict[str, Scores], kept: Path
) -> dict[str, list[dict[str, Any]]]:
    """What each peer says of each question and its CPU seconds, written one by one."""
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
    if kept.exists():
        told |= json.loads(kept.read_text(encoding="utf-8"))
    for place, question in enumerate(questions):
        for name in [n for n in peers if len(told[n]) == place]:
            begun = time.process_time()
            scores = peers[name](question)
            spent = time.process_time() - begun
            told[name].append({"seconds": spent, "scores": scores.tolist()})
            kept.write_text(json.dumps(told), encoding="utf-8")
            print(f"text {place}: {name}, {spent:.2f} s", flush=True)
    return told


def faithfulness(found: Any, names: Sequence[str], chosen: str) -> dict[str, Any]:
    """The standing of each, and intervals over texts of how much better the chosen one is."""
    from luthier.explain.gate.faith import resamples

    drawn = resamples(len(found.questions), 1)
    best = found.overall(chosen, drawn)
    better = {n: np.quantile(best - found.overall(n, drawn), [0.025, 0.975]) for n in names}
    return {
        "faith": {name: float(found.overall(name)[0]) for name in names},
        "better": {name: both.tolist() for name, both in better.items()},
    }


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines of the table: the chosen method against each peer, and our best rival."""
    chosen, lines = found["chosen"], []
    ours, mine = found["seconds"][chosen], found["faith"][chosen]
    of = f"{SET}, {found['texts']} answers of the embedded causal model, {chosen}, chosen"
    for peer in PEERS:
        theirs = found["seconds"][peer]
        ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
        middle = ratios[len(ratios) // 2]
        lines.append(
            {
                "what": f"CPU seconds for an explanation, {of}",
                "peer": peer, "ours": float(np.mean(ours)), "theirs": float(np.mean(theirs)),
                "ratio": middle, "interval": [ratios[0], ratios[-1]],
                "must": f"{MUST}x", "aim": f"{AIM}x", "met": middle >= MUST,
            }
        )  # fmt: skip
    best = max(found["faith"], key=found["faith"].__getitem__)
    for peer in [*PEERS, *([best] if best not in (*PEERS, chosen) else [])]:
        theirs = found["faith"][peer]
        lines.append(
            {
                "what": f"faithfulness, {of}", "peer": peer, "ours": mine, "theirs": theirs,
                "ratio": mine / theirs if theirs > 0 else None, "interval": found["better"][peer],
                "must": "equal" if peer in PEERS else "reported", "aim": "—",
                "met": mine >= theirs or peer not in PEERS,
            }
        )  # fmt: skip
    return lines
