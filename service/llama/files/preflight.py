"""Looks at a model file before the library does, and says in one sentence why it cannot be served.

Never loads the library, so that a supervisor can ask in milliseconds, before it starts a process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.config import MIN_CTX_SLOT
from service.llama.files.draft_file import check_draft_vocabulary
from service.llama.files.gguf import GgufArray, GgufError, GgufHeader, Scalar
from service.llama.files.lora_files import AdapterFile, check_adapters
from service.llama.files.metadata import check_metadata
from service.llama.files.open_files import read_gguf
from service.llama.files.purpose import Purpose, purpose_of
from service.llama.host.devices import may_compute_on_gpu
from service.llama.host.encoder_memory import EncoderMemoryEstimate, estimate_encoder_memory
from service.llama.host.memory import N_HIDDEN, MemoryEstimate, available_bytes, count_outputs, estimate_memory
from service.llama.load_errors import ModelLoadError
from service.llama.model_options import check_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import ModelConfig

#: What messages call a file, and the field that names it.
_MODEL, _DRAFT = ("model file", "path"), ("draft model file", "draft_path")
_SPLIT_NAME = re.compile(r"(?P<prefix>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelFileFacts:
    """What the header of a model file says.

    Attributes:
        path: the file that was named; the first one of a split model.
        architecture: ``general.architecture``, for example "llama".
        name: ``general.name``, empty if the file has none.
        n_layers: number of layers.
        n_ctx_train: context the model was trained with, in tokens; 0 if the file does not say.
        n_ctx: KV cells that will be allocated: the ones asked for, or ``n_ctx_train``. Of a model that does not
            generate, the most tokens of one input: not above ``n_ctx_train``.
        n_embd: length of a hidden state.
        n_vocab: tokens in the vocabulary.
        purpose: what it is served for.
        files: all of them, in order.
        size_bytes: bytes of all tensors.
        adapters: LoRA adapters that are applied to the model.
        memory: what the model needs, and its draft model.
        draft: the same of its draft model; None without one.
    """

    path: Path
    architecture: str
    name: str
    n_layers: int
    n_ctx_train: int
    n_ctx: int
    n_embd: int
    n_vocab: int
    purpose: Purpose
    files: tuple[Path, ...]
    size_bytes: int
    adapters: tuple[AdapterFile, ...]
    memory: MemoryEstimate | EncoderMemoryEstimate
    draft: ModelFileFacts | None = None


def check_model_file(config: ModelConfig, available: Callable[[], int | None] = available_bytes) -> ModelFileFacts:
    """Check the configuration, files and memory.

    Args:
        config: which model to load and how.
        available: gives the bytes of memory that can be used, None if unknown.

    Raises:
        InvalidArgument: a field of the configuration has a value that is not allowed.
        ModelLoadError: the model cannot be loaded.
    """
    check_options(config)
    path = Path(config.path)
    headers, metadata = _read_model(path, _MODEL)
    metadata |= {override.key: override.value for override in config.kv_overrides}
    _check_metadata(path, metadata, _MODEL)
    facts = _collect_facts(config, path, headers, metadata)
    if facts.purpose.generates and facts.n_ctx < MIN_CTX_SLOT * config.n_parallel:
        raise ModelLoadError(
            f"model file {path} was trained with a context of {facts.n_ctx_train} tokens, too few for "
            f"`n_parallel` {config.n_parallel}; set `n_ctx`"
        )
    if config.draft is not None:
        facts = _with_draft(config, config.draft, facts, metadata)
    # With a GPU in play nobody knows beforehand what ends up in which memory.
    if not may_compute_on_gpu(config.n_gpu_layers):
        _check_memory(config, facts, available())
    return facts


def _with_draft(
    config: ModelConfig, draft: ModelConfig, facts: ModelFileFacts, metadata: dict[str, Scalar | GgufArray]
) -> ModelFileFacts:
    """The facts of a model with those of its draft model.

    Raises:
        ModelLoadError: the draft model cannot be used, or not with this model.
    """
    path = Path(draft.path)
    headers, draft_metadata = _read_model(path, _DRAFT)
    _check_metadata(path, draft_metadata, _DRAFT)
    draft_facts = _collect_facts(draft, path, headers, draft_metadata)
    for each in (facts, draft_facts):
        if not each.purpose.generates:
            raise ModelLoadError(f"`draft_path` is of no use: model file {each.path} does not generate text")
    check_draft_vocabulary(path, draft_metadata, metadata)
    assert isinstance(facts.memory, MemoryEstimate)
    assert isinstance(draft_facts.memory, MemoryEstimate)
    # As many as the model has are as many with fewer of them, too.
    n_cells = None if draft_facts.n_ctx == facts.n_ctx else draft_facts.n_ctx
    return replace(facts, memory=facts.memory.with_draft(draft_facts.memory, n_cells), draft=draft_facts)


def _check_metadata(path: Path, metadata: dict[str, Scalar | GgufArray], what: tuple[str, str]) -> None:
    try:
        check_metadata(metadata)
    except GgufError as error:
        raise ModelLoadError(f"{what[0]} {path} {error}") from error


def _read_model(path: Path, what: tuple[str, str]) -> tuple[list[GgufHeader], dict[str, Scalar | GgufArray]]:
    """The headers of all files of a model, in order, and its metadata."""
    first = _read_file(path, what)
    metadata = dict(first.metadata)
    return [first, *(_read_file(part, what) for part in _model_files(path, first, what)[1:])], metadata


def _model_files(path: Path, header: GgufHeader, what: tuple[str, str]) -> tuple[Path, ...]:
    """All files of a model, in order.

    Args:
        path: the first one.
        header: what that says.
        what: what messages call the model, and its field of the configuration.

    Raises:
        ModelLoadError: it is not the first one, or others are missing.
    """
    n_files = header.metadata.get("split.count", 1)
    if not isinstance(n_files, int) or n_files <= 1:
        return (path,)
    return tuple(_split_paths(path, n_files, header.metadata.get("split.no", 0), what))


def _read_file(path: Path, what: tuple[str, str]) -> GgufHeader:
    subject, field = what
    header = read_gguf(path, f"{subject} {path}", field)
    if header.n_tensors == 0 and "split.count" not in header.metadata:
        raise ModelLoadError(f"{subject} {path} has no weights; it is only a vocabulary")
    return header


def _split_paths(path: Path, n_files: int, number: object, what: tuple[str, str]) -> list[Path]:
    subject, field = what
    match = _SPLIT_NAME.fullmatch(path.name)
    if match is None or int(match["count"]) != n_files:
        raise ModelLoadError(
            f"{subject} {path} is one of {n_files}, but its name does not end in -00001-of-{n_files:05}.gguf; "
            "give all parts the names they were published under"
        )
    paths = [path.with_name(f"{match['prefix']}-{part:05}-of-{n_files:05}.gguf") for part in range(1, n_files + 1)]
    if number != 0 or path != paths[0]:
        raise ModelLoadError(f"{subject} {path} is not the first of {n_files} parts; `{field}` must name {paths[0]}")
    missing = [part.name for part in paths if not part.exists()]
    if missing:
        raise ModelLoadError(
            f"{subject} {path} is the first of {n_files} parts, and {len(missing)} are missing beside it: "
            + ", ".join(missing[:3])
            + (", ..." if len(missing) > 3 else "")
        )
    return paths


def _collect_facts(
    config: ModelConfig, path: Path, headers: list[GgufHeader], metadata: dict[str, Scalar | GgufArray]
) -> ModelFileFacts:
    architecture = str(metadata["general.architecture"])

    def integer(key: str) -> int:
        value = metadata.get(f"{architecture}.{key}")
        return value if isinstance(value, int) else 0

    tokens = metadata.get("tokenizer.ggml.tokens")
    n_vocab = tokens.length if isinstance(tokens, GgufArray) else integer("vocab_size")
    size_bytes = sum(header.tensor_bytes for header in headers)
    adapters = check_adapters(config.lora, headers)
    n_ctx_train = integer("context_length")
    n_ctx = config.n_ctx or n_ctx_train
    purpose = purpose_of(config, metadata, {tensor.name for header in headers for tensor in header.tensors})
    return ModelFileFacts(
        path=path,
        architecture=architecture,
        name=str(metadata.get("general.name", "")),
        n_layers=integer("block_count"),
        n_ctx_train=n_ctx_train,
        n_ctx=n_ctx if purpose.generates else min(n_ctx, n_ctx_train),
        n_embd=integer("embedding_length"),
        n_vocab=n_vocab,
        purpose=purpose,
        files=_model_files(path, headers[0], _MODEL),
        size_bytes=size_bytes,
        adapters=adapters,
        memory=_estimate_memory(
            config, metadata, purpose, size_bytes + sum(adapter.size_bytes for adapter in adapters), n_vocab
        ),
    )


def _estimate_memory(
    config: ModelConfig, metadata: dict[str, Scalar | GgufArray], purpose: Purpose, weights: int, n_vocab: int
) -> MemoryEstimate | EncoderMemoryEstimate:
    if not purpose.is_decoder:
        return estimate_encoder_memory(metadata, weights=weights, n_vocab=n_vocab)
    return estimate_memory(
        metadata,
        weights=weights,
        n_vocab=n_vocab,
        n_outputs=count_outputs(config) if purpose.generates else N_HIDDEN,
        cache_type_k=config.cache_type_k,
        cache_type_v=config.cache_type_v,
        has_scores=config.flash_attention is False,
    )


def _check_memory(config: ModelConfig, facts: ModelFileFacts, available: int | None) -> None:
    memory = facts.memory
    needed = memory.total(facts.n_ctx)
    if available is None or needed <= available:
        return
    largest = memory.largest_context(available)
    files = f"model file {facts.path}"
    if facts.draft is not None:
        files += f" with draft model file {facts.draft.path}"
    if largest >= MIN_CTX_SLOT * config.n_parallel:
        advice = f"the largest context that fits is `n_ctx` {largest}"
    else:
        advice = "no context fits: free memory or take a smaller model"
    raise ModelLoadError(
        f"{files} needs about {_size(needed)} of memory ({_size(memory.weights)} for weights, "
        f"{_size(memory.cells(facts.n_ctx))} for a context of {facts.n_ctx} tokens, {_size(memory.fixed)} to work "
        f"with), but {_size(available)} are available; {advice}"
    )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB" if n_bytes >= 2**30 else f"{n_bytes / 2**20:.0f} MiB"
