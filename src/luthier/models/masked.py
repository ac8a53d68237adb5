"""Encoders with a masked-language-model head: which bases have one, and the head on its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from luthier.core.errors import FixModel
from luthier.models.layers import reached, shallow

_ALLOWED = "a causal model, or an encoder with its masked-language-model head"
_ADVICE = (
    "use embedded:causal, another causal model, or the checkpoint the encoder was pretrained as "
    "(its config.json says ...ForMaskedLM)"
)


def refuse_unfit(config: Any, place: str) -> None:
    """Nothing for a model type that can have a masked-language-model head.

    Raises: FixModel for all others.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise FixModel(
            place,
            f"models of type {config.model_type!r} neither write text nor fill in hidden words",
            _ALLOWED,
            _ADVICE,
        )
    if getattr(config, "is_encoder_decoder", False):
        raise FixModel(
            place, "it is an encoder and a decoder in one; only encoders learn by masks", _ALLOWED
        )


def refuse_headless(place: str, backbone: str, missing: Iterable[str]) -> None:
    """Nothing when the weights of the head were found; tied ones count as found.

    Raises: FixModel naming those that are missing, as a made-up head would be trained from noise.
    """
    head = sorted(name for name in missing if not name.startswith(f"{backbone}."))
    if not head:
        return
    named = ", ".join(head[:6]) + (f" and {len(head) - 6} more" if len(head) > 6 else "")
    raise FixModel(
        place,
        f"its checkpoint has no masked-language-model head; the weights lack {named}",
        _ALLOWED,
        _ADVICE,
    )


def before_output(model: Any, hidden: Tensor) -> Tensor:
    """What the output layer of `model` is given (S, E) for hidden states (S, D).

    The head of an encoder works position by position, so it is run on the positions that matter
    only, and the product with the vocabulary is left to the caller.

    Raises: FixModel when the output layer is never asked.
    """
    from transformers.modeling_outputs import BaseModelOutput

    path = str(model.base_model_prefix)
    given = hidden.unsqueeze(0)
    backbone = shallow(model.get_submodule(path))
    backbone.__dict__["forward"] = lambda *_, **__: BaseModelOutput(last_hidden_state=given)
    twin = shallow(model)
    twin._modules[path] = backbone
    found = reached(model.get_output_embeddings(), lambda: twin(inputs_embeds=given))
    if found is None:
        raise FixModel("the masked-language-model head", "its output layer is never asked")
    return found.squeeze(0)


def why_whole(model: Any) -> str | None:
    """Why the head cannot be run on single positions, or None when it can: both ways are tried."""
    output = model.get_output_embeddings()
    if not isinstance(output, nn.Linear):
        return "the output layer is no plain linear layer"
    device = next(model.parameters()).device
    ids = torch.arange(8, device=device).remainder(int(model.config.vocab_size)).unsqueeze(0)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            wanted = model(input_ids=ids).logits[0]
            hidden = model.base_model(input_ids=ids)[0][0]
            # From the last position to the first, so that no position knows its place.
            found = output(before_output(model, hidden.flip(0))).flip(0)
        room = 0.02 * float(wanted.abs().max())
        near = found.shape == wanted.shape and torch.allclose(found, wanted, rtol=0.02, atol=room)
    except Exception as error:  # A head of another build may fail in any way.
        return f"the head of this model cannot be run by itself ({type(error).__name__})"
    finally:
        model.train(training)
    return None if near else "the head of this model is more than its output layer"
