"""What a person reads once a server is ready: where everything is, and how to stop it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.version import slotline_version
from service.config import MediaOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from service.config import CoreConfig, LoraAdapter
    from service.llama.files.preflight import ModelFileFacts

#: A server that listens there is reached at every address of the machine, but these are no addresses to connect to.
_EVERY_ADDRESS = {"http://0.0.0.0:": "http://127.0.0.1:", "http://[::]:": "http://[::1]:"}
_THIS_MACHINE = ("http://127.", "http://[::1]:", "http://localhost:")


@dataclass(frozen=True, slots=True)
class BannerModel:
    """What the banner tells of a model.

    Attributes:
        path: the model's file.
        size_bytes: size of its weights.
        n_slots: number of slots.
        n_ctx_slot: tokens of context in each of them.
        alias: its name in answers, None for its path.
        adapters: what is applied to it.
        applies_adapters: whether it is from the start.
        system_prompt_chars: length of what all slots begin with, 0 for nothing.
        media: which pictures prompts may have.
    """

    path: Path
    size_bytes: int
    n_slots: int
    n_ctx_slot: int
    alias: str | None = None
    adapters: Sequence[LoraAdapter] = ()
    applies_adapters: bool = True
    system_prompt_chars: int = 0
    media: MediaOptions = field(default_factory=MediaOptions)

    @classmethod
    def of(cls, config: CoreConfig, file: ModelFileFacts) -> BannerModel:
        """The facts of a model that is about to be loaded."""
        return cls(
            path=file.path,
            size_bytes=file.size_bytes,
            n_slots=config.model.n_parallel,
            n_ctx_slot=file.n_ctx if config.kv_unified else file.n_ctx // config.model.n_parallel,
            alias=config.alias,
            adapters=config.model.lora,
            applies_adapters=not config.model.lora_init_without_apply,
            system_prompt_chars=len(config.system_prompt.text) if config.system_prompt is not None else 0,
            media=config.media,
        )

    @property
    def title(self) -> str:
        """The file's name and size."""
        return f"{self.path.name} ({_size(self.size_bytes)})"


@dataclass(frozen=True, slots=True)
class BannerFacts:
    """What the banner tells.

    Attributes:
        rest_url: where REST listens, with the real port; empty if it does not.
        also: the same of its other addresses.
        core: where the REST adapter looks for its core, if that is not its own.
        grpc: addresses where gRPC listens, with real ports.
        grpc_missing: addresses that were left out because they are busy.
        grpc_tls: what clients of gRPC need to know about TLS; empty for plain text.
        model: what is served; None if somebody else serves it.
        api_keys: the keys that clients need, masked; empty if they need none.
        version: of Slotline.
    """

    rest_url: str = ""
    also: Sequence[str] = ()
    core: str = ""
    grpc: Sequence[str] = ()
    grpc_missing: Sequence[str] = ()
    grpc_tls: str = ""
    model: BannerModel | None = None
    api_keys: str = ""
    version: str = field(default_factory=slotline_version)


def tls_text(config: CoreConfig) -> str:
    """What clients of gRPC need to know about TLS; empty for plain text."""
    if config.grpc_tls_cert is None:
        return ""
    return "TLS" if config.grpc_client_ca is None else "TLS, for clients with a certificate"


def banner(facts: BannerFacts) -> str:
    """The banner, with an empty line before and after it."""
    # An adapter alone does not know yet.
    state = "listens" if facts.core else "is ready"
    lines = [f"Slotline {facts.version} {state}"]
    lines += [f"  {label:<8}{text}" for label, text in _rows(facts)]
    return "\n".join(("", *lines, "", ""))


def _rows(facts: BannerFacts) -> Iterator[tuple[str, str]]:
    if facts.rest_url:
        yield from _rest_rows(facts.rest_url)
    if facts.also:
        yield "also", ", ".join(url + listening for url, listening in map(_to_connect, facts.also))
    if facts.core:
        yield "core", f"{facts.core}; {_to_connect(facts.rest_url)[0]}/health tells whether it serves"
    else:
        yield "gRPC", _grpc_text(facts)
    if facts.model is not None:
        yield from _model_rows(facts.model)
    if facts.api_keys:
        yield "keys", f"{facts.api_keys}; clients send `Authorization: Bearer KEY`"
    elif facts.rest_url and not all(url.startswith(_THIS_MACHINE) for url in (facts.rest_url, *facts.also)):
        yield "keys", "none: whoever reaches this machine is served; --api-key demands one"
    yield "stop", "Ctrl-C lets running requests finish, a second one does not"


def _rest_rows(url: str) -> Iterator[tuple[str, str]]:
    url, listening = _to_connect(url)
    yield "REST", f"{url} for browsers and the API of llama.cpp{listening}"
    yield "OpenAI", f"{url}/v1 is the base_url for clients"


def _to_connect(url: str) -> tuple[str, str]:
    """Where to connect to a server that listens there, and what to say of others who can."""
    for every, local in _EVERY_ADDRESS.items():
        if url.startswith(every):
            return local + url.removeprefix(every), " at every address of this machine"
    return url, ""


def _grpc_text(facts: BannerFacts) -> str:
    text = ", ".join(facts.grpc) or "on no TCP port"
    if facts.grpc and facts.grpc_tls:
        text += f" with {facts.grpc_tls}"
    if facts.grpc_missing:
        text += f" ({', '.join(facts.grpc_missing)} is taken by another program; choose one with --grpc-listen)"
    return text


def _model_rows(model: BannerModel) -> Iterator[tuple[str, str]]:
    yield "model", f"{model.alias}: {model.path}" if model.alias else str(model.path)
    for adapter in model.adapters:
        yield "LoRA", f"{adapter.path}, factor {adapter.scale if model.applies_adapters else 0:g}"
    if model.media.mmproj is not None:
        yield "images", _images_text(model.media, model.media.mmproj)
    if model.system_prompt_chars:
        yield "system", f"a prompt of {model.system_prompt_chars} characters comes first in every slot"
    yield "slots", f"{model.n_slots} slot{'s' if model.n_slots != 1 else ''} of {model.n_ctx_slot} tokens"


def _images_text(media: MediaOptions, mmproj: str) -> str:
    each, together = _size(media.max_image_bytes), _size(media.max_request_image_bytes)
    return f"{mmproj}; a request may have {media.max_images}, each up to {each}, {together} together"


def _size(n_bytes: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.0f} {unit}" if n_bytes >= 10 * size else f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} B"
