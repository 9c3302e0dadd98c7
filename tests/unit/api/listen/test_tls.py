"""Files for TLS: what is wrong with them is named."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from service.api.listen.tls import TlsFiles, read_certificates, tls_credentials
from service.config import core_config
from service.errors import InvalidArgument
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files(authority: Authority, **changes: str) -> TlsFiles:
    """The files of a server, but for some."""
    pair = authority.issue("server")
    return TlsFiles(**{"cert": str(pair.cert), "key": str(pair.key), "client_ca": str(authority.ca), **changes})


def test_a_pair_with_authorities_is_taken(authority: Authority) -> None:
    assert tls_credentials(files(authority))
    assert tls_credentials(TlsFiles(files(authority).cert, files(authority).key))


@pytest.mark.parametrize(
    ("changed", "content", "field", "problem"),
    [
        ("cert", None, "grpc_tls_cert", "cannot be read: No such file or directory"),
        ("key", None, "grpc_tls_key", "cannot be read: No such file or directory"),
        ("client_ca", None, "grpc_client_ca", "cannot be read: No such file or directory"),
        ("cert", b"", "grpc_tls_cert", "holds no certificate in PEM"),
        ("key", b"\x00\xff", "grpc_tls_key", "holds no private key in PEM"),
        ("client_ca", b"-----BEGIN CERTIFICATE-----\n", "grpc_client_ca", "holds no certificates in PEM that can be"),
        ("cert", b"-----BEGIN CERTIFICATE-----\n", "grpc_tls_key", "cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    authority: Authority, tmp_path: Path, changed: str, content: bytes | None, field: str, problem: str
) -> None:
    path = tmp_path / "wrong.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=problem) as caught:
        read_certificates(files(authority, **{changed: str(path)}))
    assert caught.value.field == field
    assert str(path) in caught.value.problem


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    with pytest.raises(InvalidArgument, match="is not the key of"):
        read_certificates(files(authority, key=str(authority.issue("other").key)))


def test_a_key_with_a_password_is_refused_without_asking_for_it(authority: Authority, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    pair = authority.issue("server")
    command = ["openssl", "pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True)
    with pytest.raises(InvalidArgument, match="a key without a password"):
        read_certificates(TlsFiles(str(pair.cert), str(locked)))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"grpc_tls_cert": "a.pem"}, "grpc_tls_cert"),
        ({"grpc_tls_key": "a.key"}, "grpc_tls_key"),
        ({"grpc_client_ca": "ca.pem"}, "grpc_client_ca"),
    ],
)
def test_a_file_that_means_nothing_alone_is_refused(settings: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument, match="is of no use without") as caught:
        core_config({"path": "a.gguf", **settings})
    assert caught.value.field == field
