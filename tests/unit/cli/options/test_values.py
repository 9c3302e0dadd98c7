from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.api.listen.addresses import NoAddress, parse_address
from service.config import KvOverride, LoraAdapter, SplitMode
from slotline.cli.options import values
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_PATH = "/tmp/" + "x" * 200


@pytest.mark.parametrize(
    ("convert", "raw", "value"),
    [
        (values.integer(1), "1", 1),
        (values.integer(1), " 12 ", 12),
        (values.integer(1), "+7", 7),
        (values.integer(1, or_exactly=-1, means="none"), "-1", -1),
        (values.integer(0, 65535), "65535", 65535),
        (values.real(), "-1.5", -1.5),
        (values.real(minimum=0), "0", 0.0),
        (values.real(above=0), "1e-3", 0.001),
        (values.real(minimum=0, maximum=1), "1", 1.0),
        (values.text, "a b", "a b"),
        (values.member(SplitMode), "row", SplitMode.ROW),
        (values.choice({"a": 1, "b": 2}), "b", 2),
        (values.shares, "3,2", (3.0, 2.0)),
        (values.shares, "3/2,0", (3.0, 2.0, 0.0)),
        (values.kv_override, "a.b=int:-5", KvOverride("a.b", -5)),
        (values.kv_override, "a.b=float:0.5", KvOverride("a.b", 0.5)),
        (values.kv_override, "a.b=bool:true", KvOverride("a.b", True)),
        (values.kv_override, "a.b=bool:false", KvOverride("a.b", False)),
        (values.lora, "a b.gguf", LoraAdapter("a b.gguf", 1.0)),
        (values.grpc_address, "127.0.0.1:50051", "127.0.0.1:50051"),
        (values.grpc_address, "localhost:0", "localhost:0"),
        (values.grpc_address, "[::1]:65535", "[::1]:65535"),
        (values.grpc_address, "unix:/tmp/s", "unix:/tmp/s"),
        (values.grpc_address, "unix:relative.sock", "unix:relative.sock"),
        (values.http_url, "http://127.0.0.1:8080/health", "http://127.0.0.1:8080/health"),
        (values.http_url, "http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_allowed_values_are_converted(convert: Callable[[str, str], object], raw: str, value: object) -> None:
    assert convert("--x", raw) == value


@pytest.mark.parametrize(
    ("convert", "raw", "message"),
    [
        (values.integer(1, 9), "0", "--x 0 is out of range; allowed is a whole number from 1 to 9"),
        (values.integer(1, 9), "10", "--x 10 is out of range; allowed is a whole number from 1 to 9"),
        (values.integer(1), str(2**31), "--x 2147483648 is out of range; allowed is a whole number, at least 1"),
        (
            values.integer(1, or_exactly=-1, means="no cap"),
            "-2",
            "--x -2 is out of range; allowed is a whole number, at least 1, or -1 (no cap)",
        ),
        (values.integer(1), "12abc", "--x '12abc' is not a whole number; allowed is a whole number, at least 1"),
        (values.integer(1), "1.0", "--x '1.0' is not a whole number; allowed is a whole number, at least 1"),
        (values.integer(1), "1_0", "--x '1_0' is not a whole number; allowed is a whole number, at least 1"),
        (values.integer(1), "\u0663", "--x '\u0663' is not a whole number; allowed is a whole number, at least 1"),
        (values.integer(1), "", "--x '' is not a whole number; allowed is a whole number, at least 1"),
        (values.real(), "nan", "--x 'nan' is not a finite number; allowed is a number"),
        (values.real(), "1e999", "--x '1e999' is not a finite number; allowed is a number"),
        (values.real(), "1_0.5", "--x '1_0.5' is not a finite number; allowed is a number"),
        (values.real(minimum=0), "-0.5", "--x -0.5 is out of range; allowed is a number of at least 0"),
        (values.real(above=0), "0", "--x 0 is out of range; allowed is a number above 0"),
        (values.real(minimum=0, maximum=1), "1.5", "--x 1.5 is out of range; allowed is a number from 0 to 1"),
        (values.real(above=0, maximum=9), "10", "--x 10 is out of range; allowed is a number above 0 and up to 9"),
        (values.text, "", "--x needs a value that is not empty"),
        (values.member(SplitMode), "ROW", "--x 'ROW' is not known; allowed are none, layer and row"),
        (
            values.shares,
            "1,x",
            "--x '1,x' is not a list of shares; allowed are up to 16 numbers, none negative and not all zero, "
            "separated by commas, for example 3,2",
        ),
        (
            values.kv_override,
            "a",
            "Malformed KV override: a\n"
            "note: allowed is KEY=TYPE:VALUE with TYPE int, float or bool and a KEY of 1 to 127 bytes",
        ),
        (
            values.kv_override,
            "a=str:x",
            "Invalid type for KV override: a=str:x\n"
            "note: allowed is KEY=TYPE:VALUE with TYPE int, float or bool and a KEY of 1 to 127 bytes",
        ),
        (
            values.kv_override,
            "a=bool:True",
            "Invalid boolean value for KV override: a=bool:True\nnote: allowed are true and false",
        ),
        (
            values.kv_override,
            "a=int:0x10",
            "Invalid int value for KV override: a=int:0x10\nnote: allowed are whole numbers of 64 bits",
        ),
        (
            values.kv_override,
            f"a=int:{2**63}",
            f"Invalid int value for KV override: a=int:{2**63}\nnote: allowed are whole numbers of 64 bits",
        ),
        (
            values.kv_override,
            "a=float:nan",
            "Invalid float value for KV override: a=float:nan\nnote: allowed are finite numbers",
        ),
        (
            values.grpc_address,
            "unix:",
            "--x 'unix:' has no path; allowed are HOST:PORT, [IPV6]:PORT with a port from 0 to 65535, and unix:PATH",
        ),
        (
            values.grpc_address,
            f"unix:{LONG_PATH}",
            f"--x 'unix:{LONG_PATH}' has a path of 205 bytes; the system allows at most 107",
        ),
        (
            values.http_url,
            "https://x/",
            "--x 'https://x/' is not an address; allowed is http://HOST:PORT/PATH",
        ),
    ],
)
def test_other_values_are_refused_with_what_is_allowed(
    convert: Callable[[str, str], object], raw: str, message: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        convert("--x", raw)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["h:1", "[::1]:80", "unix:/s", "unix:name", "unix:", "unix:/" + "x" * 107, "::1:80", "h:65536", "h", ""]
)
def test_an_address_is_for_the_command_line_what_it_is_for_the_core(text: str) -> None:
    try:
        parse_address(text)
    except NoAddress as error:
        with pytest.raises(InvalidValue) as caught:
            values.grpc_address("--x", text)
        assert str(caught.value) == f"--x {text!r} {error.problem}"
    else:
        assert values.grpc_address("--x", text) == text


@pytest.mark.parametrize(
    "raw", ["", "50051", ":50051", "host", "host:", "host:x", "host:65536", "::1:50051", "[::1]", "host:1:2"]
)
def test_what_is_no_address_is_refused(raw: str) -> None:
    with pytest.raises(InvalidValue, match="is not an address; allowed are HOST:PORT"):
        values.grpc_address("--x", raw)


@pytest.mark.parametrize("raw", ["", ",", "1,", "-1,2", "0,0", "inf", ",".join(["1"] * 17)])
def test_what_is_no_list_of_shares_is_refused(raw: str) -> None:
    with pytest.raises(InvalidValue, match="is not a list of shares"):
        values.shares("--x", raw)


@pytest.mark.parametrize(
    ("kind", "value", "typed"),
    [
        (values.integer(1), 7, "7"),
        (values.integer(1), 7.0, "7"),
        (values.real(), 0.25, "0.25"),
        (values.real(), 2.0, "2"),
        (values.mebibytes(1, 9), 3 << 20, "3"),
        (values.seconds_or_off, 2.5, "2.5"),
        (values.seconds_or_off, None, "off"),
        (values.choice({"auto": None, "on": True}), None, "auto"),
        (values.choice({"auto": None, "on": True}), True, "on"),
        (values.member(SplitMode), SplitMode.ROW, "row"),
        (values.none_if(-1, values.integer(1, or_exactly=-1, means="none")), None, "-1"),
        (values.none_if(-1, values.integer(1, or_exactly=-1, means="none")), 5, "5"),
    ],
)
def test_a_value_is_typed_as_it_is_read(kind: values.Kind[object], value: object, typed: str) -> None:
    assert values.as_typed(kind, value) == typed
    assert kind("--x", typed) == value


def test_none_is_typed_as_nothing_where_no_value_means_it() -> None:
    assert values.as_typed(values.integer(1), None) == values.as_typed(values.text, None) == ""


@pytest.mark.parametrize("key", ["", "x" * 128, "\u00e4" * 64])
def test_a_key_to_override_has_1_to_127_bytes(key: str) -> None:
    with pytest.raises(InvalidValue, match="Malformed KV override"):
        values.kv_override("--x", f"{key}=int:1")


def test_an_adapter_with_a_scale() -> None:
    assert values.scaled_lora("--x", "a.gguf", "-1.5e-1") == LoraAdapter("a.gguf", -0.15)
    with pytest.raises(InvalidValue, match="--x needs a value that is not empty"):
        values.scaled_lora("--x", "", "1")
    with pytest.raises(InvalidValue, match="--x 'inf' is not a finite number; allowed is a number"):
        values.scaled_lora("--x", "a.gguf", "inf")
