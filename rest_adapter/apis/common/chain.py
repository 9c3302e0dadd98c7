"""The sampler chain in the shape of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import refusal
from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from slotline.options import BY_NAME
from slotline.options.chain import DRY_OPTIONS, PENALTY_OPTIONS, Chain, NotASampler, chain_of_letters, chain_of_names

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

_NAME = "samplers"


def set_chain(request: GenerateRequest, value: object) -> None:
    """Set the chain that a body chooses by names or letters, in place of what the options say of it.

    Penalties and DRY act in a chosen chain only if it names them.

    Raises:
        InvalidRequest: it is neither an array of strings nor a string, or has what is not supported.
    """
    chain = _chain(value)
    request.sampling.samplers.Clear()
    # Present although empty: an empty chain is a choice.
    request.sampling.samplers.SetInParent()
    request.sampling.samplers.samplers.extend(SAMPLER_NAMES[name] for name in chain.samplers)
    for acts, names in ((chain.penalties, PENALTY_OPTIONS), (chain.dry, DRY_OPTIONS)):
        for name in () if acts else names:
            setattr(request.sampling, name, BY_NAME[name].off_at)


def _chain(value: object) -> Chain:
    try:
        if isinstance(value, str):
            return chain_of_letters(value)
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return chain_of_names(value)
    except NotASampler as problem:
        raise InvalidRequest(_NAME, str(problem), UNSUPPORTED) from None
    raise refusal(_NAME, value, "an array of names, or a string of letters")
