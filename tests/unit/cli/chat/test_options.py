from __future__ import annotations

import io
import sys

import pytest

from slotline.cli.chat.chat_options import server_url
from slotline.cli.chat.question import message_of
from slotline.cli.options.values import InvalidValue
from slotline.cli.start_errors import StartError


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://h", "https://h/llm/v1/", "http://[::1]:8080", "https://h:443"]
)
def test_addresses_of_servers(url: str) -> None:
    assert server_url("--url", url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:8080",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:65536",
        "http://h:x",
        "http://a:b@h",
        "http://h/ x",
        "http://h?x=1",
        "http://h#x",
        "http://h/\r\nX: y",
        "http://[::1",
        "http://ä",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        server_url("--url", url)
    allowed = "allowed is http://HOST:PORT or https://HOST:PORT, perhaps with a path"
    assert str(caught.value) == f"--url {url!r} is not an address; {allowed}"


@pytest.mark.parametrize(
    ("words", "stdin", "text"),
    [
        ([], b"from stdin\n", "from stdin"),
        (["-"], b" \n from stdin \n\n", "from stdin"),
        (["What", "is this?"], b"not read", "What is this?"),
        (["Shorten", "this:", "-"], b"a\nb\n", "Shorten this:\n\na\nb"),
        (["-", "Shorten", "this."], b"a\n", "a\n\nShorten this."),
        (["Say hi", "-"], b"", "Say hi"),
        ([], b"\xff\xc3\xa4", "\ufffdä"),
        (["\udcff"], b"", "?"),
    ],
)
def test_a_message_is_made_of_words_and_stdin(
    words: list[str], stdin: bytes, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert message_of(words) == text


@pytest.mark.parametrize("words", [[], ["-"], [" "]])
def test_an_empty_message_is_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    with pytest.raises(StartError, match=r"^the message is empty; give one as an argument or on stdin$"):
        message_of(words)
