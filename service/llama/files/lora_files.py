"""Looks at the files of LoRA adapters before the library does, and says in one sentence why one cannot be applied.

What the library asserts about an adapter, when it reads the file or later when it multiplies, is refused here; found in
its source (``llama-adapter.cpp`` and the two functions of ``llama-graph.cpp`` that multiply by an adapter, version
0.3.36 of llama-cpp-python), and by loading adapters that were changed at random. Never loads the library.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.llama.files.gguf import FLOAT32, GgufHeader, GgufTensor
from service.llama.files.identity import file_digest
from service.llama.files.open_files import read_gguf
from service.llama.load_errors import ModelLoadError
from service.model_facts import AdapterInfo
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from service.config import LoraAdapter

_A, _B = ".lora_a", ".lora_b"
#: What the tools of llama.cpp write; for some other types it has no matrix product.
_TYPES = ("f32", "f16", "bf16", "q8_0")
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
#: The largest number of 32 bits.
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
_NORM, _EXPERTS = "_norm.weight", "exps.weight"


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter that can be applied.

    Attributes:
        path: its file.
        scale: factor of its change; the sum if the file was given several times.
        size_bytes: bytes of its tensors.
        n_matrices: matrices of the model that it changes.
        info: what is told about it.
        n_norms: norms that it contains and that are not applied; the library can only change matrices.
    """

    path: Path
    scale: float
    size_bytes: int
    n_matrices: int
    n_norms: int
    info: AdapterInfo


def check_adapters(adapters: Sequence[LoraAdapter], model: Sequence[GgufHeader]) -> tuple[AdapterFile, ...]:
    """Check adapters against the model that they are for.

    Args:
        adapters: files and scales; a file may be given several times.
        model: headers of all files of the model, in order.

    Returns:
        One entry for each file, in the order in which they were given first.

    Raises:
        ModelLoadError: an adapter cannot be applied.
    """
    scales: dict[Path, float] = {}
    named: dict[Path, Path] = {}
    for adapter in adapters:
        path = Path(adapter.path)
        # The library applies one adapter once, so the same file twice is one with both scales.
        real = path.resolve()
        named.setdefault(real, path)
        scales[real] = scales.get(real, 0.0) + adapter.scale
    shapes = _ModelShapes(model)
    return tuple(_check_adapter(named[real], scale, shapes) for real, scale in scales.items())


class _ModelShapes:
    """What an adapter has to fit."""

    def __init__(self, headers: Sequence[GgufHeader]) -> None:
        self.architecture = headers[0].metadata.get("general.architecture")
        self.tensors = {tensor.name: tensor for header in headers for tensor in header.tensors}


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two factors of a change."""

    name: str
    a: GgufTensor
    b: GgufTensor


class _Refused(Exception):
    """The adapter cannot be applied; the text is a predicate of the file."""


def _check_adapter(path: Path, scale: float, model: _ModelShapes) -> AdapterFile:
    subject = f"LoRA adapter {path} of `lora`"
    header = read_gguf(path, subject, "lora")
    try:
        _check_metadata(header, model)
        _check_scale(header, scale)
        pairs = list(_pairs(header.tensors))
        for pair in pairs:
            _check_pair(pair, model.tensors)
    except _Refused as problem:
        raise ModelLoadError(f"{subject} {problem}") from None
    return AdapterFile(
        path=path,
        scale=scale,
        size_bytes=header.tensor_bytes,
        n_matrices=len(pairs),
        n_norms=header.n_tensors - 2 * len(pairs),
        info=_info(path, header),
    )


def _info(path: Path, header: GgufHeader) -> AdapterInfo:
    """What is told about a checked adapter."""

    def text(key: str) -> str:
        value = header.metadata.get(key)
        return value if isinstance(value, str) else ""

    return AdapterInfo(
        path=str(path),
        digest=file_digest(path).hex(),
        max_scale=FLOAT32_MAX / max(1.0, abs(_alpha(header))),
        task_name=text("adapter.lora.task_name"),
        prompt_prefix=text("adapter.lora.prompt_prefix"),
    )


def _alpha(header: GgufHeader) -> float:
    alpha = header.metadata.get("adapter.lora.alpha")
    return alpha if isinstance(alpha, float) else 0.0


def _check_metadata(header: GgufHeader, model: _ModelShapes) -> None:
    metadata = header.metadata
    # The library compares keys up to the first NUL, so that such a key could pass for one that is checked here.
    if any("\0" in key for key in metadata):
        raise _Refused("is damaged: a key of its metadata contains a NUL byte")
    kind = metadata.get("general.type")
    if kind == "model":
        raise _Refused("is a model and not an adapter; `path` names a model")
    if kind != "adapter":
        raise _Refused(f"is not an adapter: its general.type is {_shown(kind)}, allowed: 'adapter'")
    architecture = metadata.get("general.architecture")
    if architecture != model.architecture:
        raise _Refused(
            f"is for models of the architecture {_shown(architecture)}, but the architecture of this model is "
            f"{_shown(model.architecture)}"
        )
    method = metadata.get("adapter.type")
    if method != "lora":
        raise _Refused(f"is an adapter of an unknown kind: its adapter.type is {_shown(method)}, allowed: 'lora'")
    if "adapter.alora.invocation_tokens" in metadata:
        raise _Refused(
            "is an activated LoRA, which changes only what follows certain tokens; only adapters that change "
            "everything can be applied"
        )


def _check_scale(header: GgufHeader, scale: float) -> None:
    alpha = header.metadata.get("adapter.lora.alpha", 0.0)
    if header.value_types.get("adapter.lora.alpha", FLOAT32) != FLOAT32 or not isinstance(alpha, float):
        raise _Refused(f"is damaged: its adapter.lora.alpha is {_shown(alpha)}, allowed: a number of the type f32")
    if not math.isfinite(alpha):
        raise _Refused(f"is damaged: its adapter.lora.alpha is {alpha}, allowed: any finite number")
    if not math.isfinite(ctypes.c_float(scale * (alpha or 1.0)).value):
        raise _Refused(
            f"is scaled by {scale:g}, which with its adapter.lora.alpha of {alpha:g} is more than a number of 32 bits "
            "can hold; choose a smaller scale"
        )


def _pairs(tensors: Sequence[GgufTensor]) -> Iterator[_Pair]:
    """The factors that belong together."""
    factors: dict[str, dict[str, GgufTensor]] = {}
    for tensor in tensors:
        name, suffix = tensor.name[: -len(_A)], tensor.name[-len(_A) :]
        if suffix in (_A, _B):
            factors.setdefault(name, {})[suffix] = tensor
        elif not tensor.name.endswith(_NORM):
            raise _Refused(
                f"has the tensor {_shown(tensor.name)}, which is no part of a LoRA: allowed are names that end in "
                f"{_A} or {_B}"
            )
    if not factors:
        raise _Refused(f"changes nothing: it has no tensors that end in {_A} and {_B}")
    for name, found in factors.items():
        if len(found) < 2:
            missing = _B if _A in found else _A
            raise _Refused(f"is incomplete: it changes {_shown(name)}, but has no {_shown(name + missing)}")
        yield _Pair(name, found[_A], found[_B])


def _check_pair(pair: _Pair, model: Mapping[str, GgufTensor]) -> None:
    target = model.get(pair.name)
    if target is None:
        raise _Refused(f"changes {_shown(pair.name)}, which this model does not have; it is for another model")
    _check_target(target, model)
    for factor in (pair.a, pair.b):
        if factor.type_name not in _TYPES:
            raise _Refused(
                f"has {_shown(factor.name)} of the type {factor.type_name}, allowed: {', '.join(_TYPES)}; convert it "
                "again"
            )
    a, b, shape = _four(pair.a), _four(pair.b), _four(target)
    if 0 in a or 0 in b:
        raise _Refused(f"is damaged: its tensors for {_shown(pair.name)} are empty")
    # Rows of embeddings are looked up, not multiplied, so that both factors are stored the other way round.
    is_embedding = pair.name.endswith(_EMBEDDING)
    wanted_a, wanted_b = ((b[0], shape[1]), (a[0], shape[0])) if is_embedding else ((shape[0], b[0]), (a[1], shape[1]))
    if (a, b) != (wanted_a + shape[2:], wanted_b + shape[2:]):
        raise _Refused(
            f"does not fit {_shown(pair.name)} of the shape {target.shape}: its factors have the shapes "
            f"{pair.a.shape} and {pair.b.shape}; it is for another model"
        )


def _check_target(target: GgufTensor, model: Mapping[str, GgufTensor]) -> None:
    """Whether the library can change this tensor of the model."""
    name = target.name
    is_stack = len(target.shape) > 2 and any(length > 1 for length in target.shape[2:])
    if not name.endswith(".weight") or name.endswith(_NORM) or (is_stack and not name.endswith(_EXPERTS)):
        raise _Refused(f"changes {_shown(name)}, but llama.cpp can only change matrices")
    if target.type_name == "nvfp4":
        raise _Refused(f"changes {_shown(name)}, which llama.cpp cannot do because its type in this model is nvfp4")
    if name == _EMBEDDING and _OUTPUT not in model:
        raise _Refused(
            f"changes {name!r}, which llama.cpp cannot do for this model because it has no {_OUTPUT!r} of its own and "
            "uses the same matrix there"
        )


def _four(tensor: GgufTensor) -> tuple[int, ...]:
    """A shape in four dimensions, as the library sees it."""
    return tensor.shape + (1,) * (4 - len(tensor.shape))


def _shown(value: object) -> str:
    """A value of metadata that may be nonsense, fit for a message."""
    return "missing" if value is None else excerpt(repr(value), 80)
