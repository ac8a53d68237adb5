"""The methods by name."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.core.errors import FixRecipe, nearest
from luthier.explain.attribution import Attributor
from luthier.explain.attributions.ablation import AblationRegression
from luthier.explain.attributions.attention import AttentionRollout, RawAttention
from luthier.explain.attributions.gradient import GradientNorm, GradientTimesInput
from luthier.explain.attributions.integrated import IntegratedGradients
from luthier.explain.attributions.occlusion import Occlusion
from luthier.explain.attributions.refined import Refined


def members(writes: bool) -> Mapping[str, Attributor]:
    """Every method by the name it is asked for, for classifiers or for models that write.

    What is hidden from a model that writes is left out, as it has no token for a gap; half as many
    draws rank its words as faithfully (`bench/explain`).
    """
    late = IntegratedGradients(depth=0.84, name="late integrated gradients")
    found: dict[str, Attributor] = {
        "gradient": GradientNorm(),
        "gradient-input": GradientTimesInput(),
        "rollout": AttentionRollout(),
        "attention": RawAttention(),
        "integrated": IntegratedGradients(),
        "integrated-late": late,
        "occlusion": Occlusion("delete" if writes else "mask"),
        "ablation": AblationRegression(32, how="delete") if writes else AblationRegression(),
    }
    if not writes:
        found["refined"] = Refined(late)
    return found


def unmeasured(writes: bool) -> str:
    """The method where none could be measured: the one that was most often faithful elsewhere
    (`bench/explain`)."""
    return "ablation" if writes else "integrated-late"


def member_of(name: str, writes: bool) -> Attributor:
    """A method by its name.

    Raises: FixRecipe for an unknown one, with the nearest.
    """
    known = members(writes)
    if name not in known:
        near = nearest(name, known)
        raise FixRecipe(
            f"--method {name!r}", "there is no such method", f"auto, {', '.join(known)}",
            f"did you mean {near!r}?" if near else "",
        )  # fmt: skip
    return known[name]
