from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from slotline.cli.options.api_keys import MAX_BYTES, api_key, api_key_file, as_file_content, masked
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("key", ["k", "sk-0123456789", "two words", "#1", "~!@#$%^&*()", "-v"])
def test_keys_are_taken_as_they_are(key: str) -> None:
    assert api_key("--api-key", key) == (key,)


@pytest.mark.parametrize(
    "key", ["", " ", "secret ", " secret", "sec\nret", "sec\tret", "s\0t", "clé", "ключ", "\udcff"]
)
def test_keys_that_no_client_could_send_are_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        api_key("--api-key", key)
    assert str(caught.value) == (
        "--api-key is empty or holds what a client could not send; allowed are printable ASCII characters, without "
        "blanks at the ends"
    )


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (b"one", ("one",)),
        (b"one\ntwo\n", ("one", "two")),
        (b"\n\none\r\n\r\ntwo three\r\n", ("one", "two three")),
    ],
)
def test_a_file_holds_one_key_a_line(content: bytes, keys: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)
    assert api_key_file("--api-key-file", str(tmp_path / "keys")) == keys


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no key; allowed is one key a line"),
        (b"\n\r\n\n", "holds no key; allowed is one key a line"),
        (b"good\nbad \n", "line 2 is empty or holds what a client could not send; allowed are"),
        (b"good\n\nsch\xc3\xb6n\n", "line 3 is empty or holds what a client could not send; allowed are"),
        (b"good\n# of the team\n", "line 2 looks like a comment; a key must not begin with '# '"),
        (b"a\rb", "line 1 is empty or holds"),
        (b"k" * (MAX_BYTES + 1), f"is larger than the {MAX_BYTES} bytes allowed"),
    ],
)
def test_a_file_with_anything_else_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(InvalidValue) as caught:
        api_key_file("--api-key-file", str(path))
    assert str(caught.value).startswith(f"--api-key-file {path}: {problem}")


@pytest.mark.parametrize("name", ["nothing", "", "a\0b", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name) if name else name
    with pytest.raises(InvalidValue) as caught:
        api_key_file("--api-key-file", path)
    assert str(caught.value) == f"failed to open file '{path}'"


def test_what_is_written_for_the_core_is_read_by_it(tmp_path: Path) -> None:
    keys = ("one", "two three", "-v")
    (tmp_path / "keys").write_text(as_file_content(keys))
    assert api_key_file("--api-key-file", str(tmp_path / "keys")) == keys


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["sk-0123456789"], "****6789"),
        (["123456789"], "****6789"),
        (["12345678"], "1 key"),
        (["k"], "1 key"),
        (["sk-0123456789", "sk-9876543210"], "2 keys"),
    ],
)
def test_logs_and_the_banner_show_no_whole_key(keys: list[str], shown: str) -> None:
    assert masked(keys) == shown
