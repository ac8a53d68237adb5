"""Ray Tune: ASHA over the same Trainer runs, one trial per core at the same time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gate import Gate


def main() -> None:
    """Answers the trajectory."""
    gate = Gate()
    given = gate.given
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    # A trial that is out of time before its first report is no error.
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator
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

    def trainable(config: dict[str, Any], setting: Setting) -> None:
        name = tune.get_context().get_trial_id()
        try:
            train(name, config, setting, lambda epoch, score: tune.report({"accuracy": score}))
        except OutOfTime:
            return

    setting = Setting(given)
    here = str(Path(__file__).resolve().parent)
    ray.init(
        num_cpus=given["threads"],
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": f"{here}:{os.environ['PYTHONPATH']}"}},
    )
    space = {
        "rate": tune.loguniform(*RATES),
        "decay": tune.loguniform(*DECAYS),
        "batch": tune.choice(BATCHES),
        "rank": tune.choice(RANKS),
        "dropout": tune.choice(DROPOUTS),
        "warmup": tune.choice(WARMUPS),
        "head": tune.choice(HEADS),
    }
    tune.Tuner(
        tune.with_parameters(trainable, setting=setting),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            num_samples=-1,
            time_budget_s=setting.left,
            max_concurrent_trials=given["threads"],
            scheduler=ASHAScheduler(max_t=given["epochs"], grace_period=1),
            search_alg=BasicVariantGenerator(random_state=given["seed"]),
        ),
        run_config=tune.RunConfig(storage_path=str(Path(given["place"]) / "ray"), verbose=0),
    ).fit()
    ended = setting.elapsed
    ray.shutdown()
    gate.tell(**told(setting, ended))


if __name__ == "__main__":
    main()
