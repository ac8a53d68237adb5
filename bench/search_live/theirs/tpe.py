"""Optuna: TPE with Hyperband pruning over Trainer runs, one trial after the other."""

from __future__ import annotations

from typing import Any

import optuna
from gate import Gate
from trial import (
    BATCHES,
    DECAYS,
    DROPOUTS,
    HEADS,
    RANKS,
    RATES,
    WARMUPS,
    OutOfTime,
    Setting,
    told,
    train,
)


def main() -> None:
    """Answers the trajectory."""
    gate = Gate()
    setting = Setting(gate.given)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=gate.given["seed"]),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=gate.given["epochs"]),
    )

    def objective(trial: optuna.Trial) -> float:
        seen: list[float] = []

        def report(epoch: int, score: float) -> None:
            seen.append(score)
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            train(f"t{trial.number}", drawn(trial), setting, report)
        except OutOfTime:
            trial.study.stop()
            raise optuna.TrialPruned from None
        return max(seen)

    study.optimize(objective, timeout=setting.left)
    gate.tell(**told(setting, setting.elapsed))


def drawn(trial: optuna.Trial) -> dict[str, Any]:
    """A configuration."""
    return {
        "rate": trial.suggest_float("rate", *RATES, log=True),
        "decay": trial.suggest_float("decay", *DECAYS, log=True),
        "batch": trial.suggest_categorical("batch", BATCHES),
        "rank": trial.suggest_categorical("rank", RANKS),
        "dropout": trial.suggest_categorical("dropout", DROPOUTS),
        "warmup": trial.suggest_categorical("warmup", WARMUPS),
        "head": trial.suggest_categorical("head", HEADS),
    }


if __name__ == "__main__":
    main()
