"""How an adapter is set up. The command line builds this; nothing here reads the environment or a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Proxies end answers that are silent for 30 or 60 seconds.
OPENAI_PING_S = 15.0
#: What ``reasoning_format`` may be, here and in bodies.
REASONING_FORMATS = ("none", "auto", "deepseek", "deepseek-legacy")


@dataclass(frozen=True, slots=True)
class RestConfig:
    """A whole adapter. The name of the model comes from the core.

    Attributes:
        host: address or name to listen on; several with commas between them.
        port: TCP port, 0 for any free one.
        reuse_port: other servers of the same user may listen at the same addresses and port, if they allow it, too.
        core: gRPC address of the core, ``host:port`` or ``unix:/path``.
        core_api_key: key that the core is given with every call, or None.
        core_ca: file with the authorities, in PEM, that sign the core's certificate; None to reach it over plain text.
        core_cert, core_key: files with a certificate and its key, in PEM, for a core that wants one; both or None.
        core_server_name: the name in the core's certificate, if it is not that of ``core``.
        api_keys: if there are any, clients need one of them for every route that is not public.
        cors_origins: origins of web pages that may use a server without API keys, beside those of this machine, as
            ``origins.checked_origin`` gives them.
        cors_methods, cors_headers: what pages are told that they may use and send; None for what the path takes and the
            page asks for, or in the shape of today what llama.cpp's server says.
        cors_credentials: whether pages may have cookies sent; None for unless every page may use the server without
            API keys.
        allowed_hosts: what the header Host may name, beside localhost and ``host``, if there are no API keys and only
            this machine can reach the server; as ``origins.checked_host`` gives them.
        allow_system_prompt: whether clients without API keys may replace the system prompt of all slots even if other
            machines can reach the server.
        image_url_allow: servers that the adapter may fetch pictures from, as ``sources.checked_source`` gives them.
        media_path: directory whose pictures requests may name by ``file://`` URLs, or None.
        api_shape: whose answers clients get where they differ, unless a request asks for the other shape.
        static_path: directory whose files take precedence over every GET route, or None.
        header_timeout_s: seconds from the first byte of a request to the end of its headers; never more than
            ``timeout_s``.
        timeout_s: seconds that one socket read or write may take, and a request until all of it has come; no limit on
            the answer.
        request_timeout_s: seconds that a whole generation may take, queue included; None for no limit.
        max_body_bytes: largest request body, without the pictures in it, for which there is as much more as the core
            says. By default twice the largest prompt that a core takes, for JSON may need two bytes where the text has
            one.
        sse_ping_s: seconds of silence after which a stream gets a comment; 0 for never, None for
            ``OPENAI_PING_S`` on OpenAI and Anthropic routes and never on native ones.
        native_model: what native answers call the model; None for its name on OpenAI routes, which the core tells.
        native_truncates: native routes shorten what does not fit into the context, and go on at its end; None for in
            the shape of 2024 alone.
        openai_truncates: OpenAI and Anthropic routes, too, shorten what does not fit into the context, instead of
            refusing it.
        embd_normalize: what ``embd_normalize`` is in bodies of the native routes for embeddings that have none, as in
            ``embedding_call.NORMS``; None for what the core does.
        reasoning: whether the model thinks in conversations that say nothing about it; None for what
            ``reasoning_effort`` and ``template_variables`` say, and without these its chat template.
        reasoning_effort: how hard it thinks in conversations that do not say that, in a word of its chat template, or
            "none" for not at all; None for what the template does.
        template_variables: variables for the chat template, where requests say nothing else; ``enable_thinking`` among
            them is a bool. None for none.
        reasoning_format: where chats have what the model thinks before it answers, one of ``REASONING_FORMATS``;
            None for in the text as the model wrote it, unless a body offers tools or says something about reasoning.
        sse_done: end OpenAI-shaped streams with ``data: [DONE]``.
        verbose: chats and text completions in the shape of today tell all about an answer, in ``__verbose``, unless a
            body says otherwise.
        page: serve the built-in web page.
        metrics: offer GET /metrics.
        slots_endpoint: offer GET /slots, and the slots in GET /health.
        props_endpoint: offer POST /props.
        max_connections: open connections; fewer if the process may not open as many files.
        drain_timeout_s: seconds that running requests get when the adapter stops.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    reuse_port: bool = False
    core: str = "127.0.0.1:50051"
    core_api_key: str | None = field(default=None, repr=False)
    core_ca: str | None = None
    core_cert: str | None = None
    core_key: str | None = None
    core_server_name: str | None = None
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    cors_origins: tuple[str, ...] = ()
    cors_methods: tuple[str, ...] | None = None
    cors_headers: tuple[str, ...] | None = None
    cors_credentials: bool | None = None
    allowed_hosts: tuple[str, ...] = ()
    allow_system_prompt: bool = False
    image_url_allow: tuple[str, ...] = ()
    media_path: str | None = None
    api_shape: ApiShape = ApiShape.OF_2024
    static_path: str | None = None
    header_timeout_s: float = 20.0
    timeout_s: float = 600.0
    request_timeout_s: float | None = None
    max_body_bytes: int = 16 * 1024 * 1024
    sse_ping_s: float | None = None
    native_model: str | None = None
    native_truncates: bool | None = None
    openai_truncates: bool = False
    embd_normalize: int | None = None
    reasoning: bool | None = None
    reasoning_effort: str | None = None
    template_variables: Mapping[str, object] | None = None
    reasoning_format: str | None = None
    sse_done: bool = True
    verbose: bool = False
    page: bool = True
    metrics: bool = False
    slots_endpoint: bool = True
    props_endpoint: bool = False
    max_connections: int = 4096
    drain_timeout_s: float = 30.0

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses and names of ``host``."""
        return tuple(host.strip() for host in self.host.split(","))

    @property
    def openai_ping_s(self) -> float | None:
        """Seconds of silence after which a stream of an OpenAI route gets a comment; None for never."""
        return (OPENAI_PING_S if self.sse_ping_s is None else self.sse_ping_s) or None

    @property
    def native_ping_s(self) -> float | None:
        """The same for the native routes, whose streams have no comments unless they are asked for."""
        return self.sse_ping_s or None
