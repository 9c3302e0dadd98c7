"""Options of the REST adapter, and the ``RestConfig`` that they describe."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rest_adapter.api_shape import ApiShape
from rest_adapter.config import OPENAI_PING_S, REASONING_FORMATS, RestConfig
from rest_adapter.http.origins import checked_header_name, checked_host, checked_method, checked_origin
from rest_adapter.remote.sources import checked_source
from slotline.cli.options.api_keys import API_KEYS, api_key, api_key_file, api_keys_of
from slotline.cli.options.groups.access import ACCESS
from slotline.cli.options.groups.general import GENERAL
from slotline.cli.options.groups.lifetime import STOPPING
from slotline.cli.options.table import Flag, Group, Value, invalid
from slotline.cli.options.template_variables import template_variables
from slotline.cli.options.values import (
    ON_OFF_AUTO,
    Kind,
    checked,
    choice,
    grpc_address,
    hosts,
    integer,
    listed,
    mebibytes,
    member,
    none_if,
    or_words,
    readable_directory,
    real,
    seconds_or_none,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

REST = Group(
    "REST",
    (
        Value(("--host",), "HOST", "host", hosts, "address or name to listen on; several with commas between them"),
        Value(("--port",), "N", "port", integer(0, 65535), "port to listen on; 0 takes a free one"),
        Flag(
            ("--reuse-port",),
            {"reuse_port": True},
            "several servers of the same user may listen on this port, if all have this option; each new connection "
            "goes to one of them",
        ),
        Value(
            ("--cors-origins",),
            "LIST",
            "cors_origins",
            listed(checked_origin),
            "web pages that may use a server without API keys, by their origins, as in https://app.example; * for all, "
            "null for files, localhost for those of this machine. With keys every page that has one may, unless "
            "localhost is named",
            default_note="those of this machine",
        ),
        Value(
            ("--cors-methods",),
            "LIST",
            "cors_methods",
            listed(checked_method),
            "methods that the answer to a preflight names",
            default_note="those of the path, in the shape of today GET, POST, DELETE, OPTIONS",
        ),
        Value(
            ("--cors-headers",),
            "LIST",
            "cors_headers",
            listed(checked_header_name),
            "headers that the answer to a preflight names; in browsers * does not stand for Authorization, which pages "
            "need that send keys",
            default_note="those that the page asks for, in the shape of today *",
        ),
        Flag(
            ("--cors-credentials",),
            {"cors_credentials": True},
            "pages that may use the server may have cookies sent, even if every page may; without the option, not then",
        ),
        Flag(("--no-cors-credentials",), {"cors_credentials": False}, "no page may have cookies sent"),
        Value(
            ("--allowed-hosts",),
            "LIST",
            "allowed_hosts",
            listed(checked_host),
            "names by which clients may ask for a server without API keys that only this machine reaches, beside IP "
            "addresses, localhost and --host; * for all. Other names are refused: a foreign page may be behind them",
        ),
        Value(
            ("--image-url-allow",),
            "HOST[:PORT]",
            "image_url_allow",
            checked(checked_source),
            "fetch pictures whose URLs are in requests from this server, by https, or by http if it is written as "
            "http://HOST[:PORT]; several times for several servers. Of private addresses only those that are listed "
            "as numbers",
            default_note="none: requests have the files themselves",
            repeat=True,
        ),
        Value(
            ("--media-path",),
            "DIR",
            "media_path",
            readable_directory,
            "directory of this machine whose pictures requests may name, as file://PATH with the path below it; none "
            "that begin with a dot, or that links lead to elsewhere",
            default_note="none: requests have the files themselves",
        ),
        Value(
            ("--api-shape",),
            "SHAPE",
            "api_shape",
            member(ApiShape),
            "whose answers clients get where llama.cpp's server of 2024 and its server of today, now, differ; a "
            "request asks for the other one with ?shape=2024 or ?shape=now",
        ),
        Value(
            ("--path",),
            "DIR",
            "static_path",
            text,
            "serve the files of this directory too, in place of the built-in page; none that begin with a dot, or "
            "that links lead to elsewhere",
        ),
        Value(
            ("-to", "--timeout"),
            "N",
            "timeout_s",
            integer(1),
            "seconds that one read or write of a connection may take, and a request until it has come; a client that "
            "takes nothing of its answer is gone after 30 in any case",
        ),
        Value(
            ("--header-timeout",),
            "S",
            "header_timeout_s",
            real(above=0),
            "seconds from the first byte of a request to the end of its headers; --timeout counts for them, too",
        ),
        Value(
            ("--request-timeout",),
            "S",
            "request_timeout_s",
            real(above=0),
            "seconds that a request may take in all, waiting included",
            default_note="no limit",
        ),
        Value(
            ("--max-body-mib",),
            "N",
            "max_body_bytes",
            mebibytes(1, 1024),
            "largest body of a request, its pictures not counted; a prompt in it may have 8 MiB",
        ),
        Flag(("--metrics",), {"metrics": True}, "offer GET /metrics in the Prometheus text format"),
        Flag(("--slots",), {"slots_endpoint": True}, "offer GET /slots; it is on unless it is switched off"),
        Flag(
            ("--no-slots", "--slots-endpoint-disable"),
            {"slots_endpoint": False},
            "do not offer GET /slots, where running prompts can be read: by everybody without API keys, else by their "
            "senders",
        ),
        Flag(
            ("--props",),
            {"props_endpoint": True},
            "offer POST /props; no property can be changed yet, so it takes empty objects",
        ),
        Flag(("--no-props",), {"props_endpoint": False}, "do not offer POST /props; that is the default"),
        Flag(("--ui", "--webui"), {"page": True}, "serve the built-in page; it is on unless it is switched off"),
        Flag(("--no-ui", "--no-webui"), {"page": False}, "do not serve the built-in page"),
        Value(
            ("--sse-ping", "--sse-ping-interval"),
            "S",
            "sse_ping_s",
            seconds_or_none,
            'seconds of silence, in the queue or at a long prompt, after which a stream gets the comment ": ping"; '
            "what fails after one is an error event instead of a status. Counts for all routes; 0 or -1 for never",
            default_note=f"{OPENAI_PING_S:g} on OpenAI and Anthropic routes, never on native ones",
        ),
        Flag(
            ("--context-shift",),
            {"native_truncates": True, "openai_truncates": True},
            "what does not fit into a slot's context is shortened, and answers go on at its end; on native routes in "
            "the shape of 2024 that is the default",
        ),
        Flag(
            ("--no-context-shift",),
            {"native_truncates": False, "openai_truncates": False},
            "what does not fit is refused, and answers end where the context does; on OpenAI routes, and in the shape "
            "of today, that is the default",
        ),
        Value(
            ("--openai-overflow",),
            "WHAT",
            "openai_truncates",
            choice({"refuse": False, "truncate": True}),
            "what does not fit into a slot's context on OpenAI and Anthropic routes: refuse it, or truncate it as "
            'other routes do; a request may decide for itself with "truncate": true or false',
        ),
        Value(
            ("--embd-normalize",),
            "N",
            "embd_normalize",
            integer(-1, 2),
            "by what vectors of the native routes for embeddings are divided, unless a request says so with "
            '"embd_normalize": -1 by nothing, 0 by the largest magnitude, times 32760, 1 by the sum of magnitudes, 2 '
            "by the Euclidean length",
            default_note="2, but -1 if each token has a vector",
        ),
        Value(
            ("-rea", "--reasoning"),
            "WHEN",
            "reasoning",
            or_words(ON_OFF_AUTO, choice({"on": True, "off": False, "auto": None})),
            "whether the model thinks before it answers in conversations that say nothing about it, if its chat "
            "template has a switch for that; auto leaves it to --chat-template-kwargs, and without that to the "
            "template",
        ),
        Value(
            ("--reasoning-effort",),
            "LEVEL",
            "reasoning_effort",
            none_if("default", Kind(text, "a word of the model's chat template, such as low or high, none or default")),
            "how hard the model thinks in conversations that do not say that, if its chat template has a word for it; "
            "none turns thinking off, default leaves it to the template",
        ),
        Value(
            ("--chat-template-kwargs",),
            "JSON",
            "template_variables",
            template_variables,
            "variables for the chat template of every conversation, as a JSON object; those of a request win one by "
            "one. enable_thinking among them is what --reasoning would say",
            default_note="none",
        ),
        Value(
            ("--reasoning-format",),
            "WHAT",
            "reasoning_format",
            choice({name: name for name in REASONING_FORMATS}),
            "where chats have what the model thinks before it answers: none leaves it in the content, auto and "
            "deepseek put it into reasoning_content, deepseek-legacy does both; a request may decide for itself with "
            '"reasoning_format"',
            default_note="none, but auto for requests that offer tools or have other fields about reasoning",
        ),
        Flag(
            ("--no-sse-done",),
            {"sse_done": False},
            'end OpenAI streams without "data: [DONE]", as the llama.cpp server once did',
        ),
    ),
)

CORE = Group(
    "core",
    (
        Value(
            ("--core",),
            "ADDRESS",
            "core",
            grpc_address,
            "where the core listens: HOST:PORT or unix:PATH",
        ),
        Value(
            ("--core-api-key",),
            "KEY",
            "core_api_key",
            api_key,
            "key that the core demands",
            default_note="the first of --api-key or --api-key-file, if any",
        ),
        Value(
            ("--core-api-key-file",),
            "FNAME",
            "core_api_key",
            api_key_file,
            "the same as the first line of a file, out of sight of other users of this machine",
        ),
        Value(
            ("--core-ca",),
            "FNAME",
            "core_ca",
            text,
            "reach the core with TLS; authorities in this file, in PEM, sign its certificate",
        ),
        Value(
            ("--core-cert",),
            "FNAME",
            "core_cert",
            text,
            "certificate, in PEM, for a core that wants one of its clients",
        ),
        Value(("--core-key",), "FNAME", "core_key", text, "its private key, in PEM, without a password"),
        Value(
            ("--core-server-name",),
            "NAME",
            "core_server_name",
            text,
            "the name in the core's certificate",
            default_note="that of its address",
        ),
    ),
)

REST_GROUPS = (GENERAL, CORE, REST, API_KEYS, ACCESS, STOPPING)


_FIELDS = {field.name for field in dataclasses.fields(RestConfig)}


def rest_config(settings: Mapping[str, Any]) -> RestConfig:
    """The configuration that these settings describe.

    Raises:
        UsageError: settings of TLS that mean nothing without another one, or settings that contradict each other.
    """
    keys = api_keys_of(settings)
    for_core = settings.get("core_api_key") or keys
    for setting, needed in (
        ("core_cert", "key"),
        ("core_key", "cert"),
        ("core_cert", "ca"),
        ("core_server_name", "ca"),
    ):
        if setting in settings and f"core_{needed}" not in settings:
            option = f"--{setting.replace('_', '-')}"
            raise invalid(option, f"{option} {settings[setting]} is of no use without --core-{needed}")
    if settings.get("reasoning") and settings.get("reasoning_effort") == "none":
        name = "--reasoning-effort"
        raise invalid(name, f"{name} none turns thinking off, and --reasoning on turns it on; give one of them")
    fields = {name: value for name, value in settings.items() if name in _FIELDS}
    return RestConfig(**{**fields, "api_keys": keys, "core_api_key": for_core[0] if for_core else None})
