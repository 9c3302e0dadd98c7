"""Addresses, and the guard of unix sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from service.api.listen.addresses import (
    AddressBusy,
    ListenError,
    TcpAddress,
    UnixAddress,
    parse_address,
)
from service.api.listen.sockets import UnixSocketGuard, check_tcp


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:50051", TcpAddress("127.0.0.1", 50051)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
        ("[::1]:80", TcpAddress("::1", 80)),
        ("unix:/run/x.sock", UnixAddress(Path("/run/x.sock"))),
        ("unix:///run/x.sock", UnixAddress(Path("/run/x.sock"))),
        ("unix:x.sock", UnixAddress(Path.cwd() / "x.sock")),
        ("unix:run/x.sock", UnixAddress(Path.cwd() / "run/x.sock")),
    ],
)
def test_an_address_is_read(text: str, address: TcpAddress | UnixAddress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1:50051", "[::1]:80", "unix:/run/x.sock"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not an address; allowed are HOST:PORT"),
        ("50051", "is not an address; allowed are HOST:PORT"),
        (":50051", "is not an address; allowed are HOST:PORT"),
        ("localhost:", "is not an address; allowed are HOST:PORT"),
        ("::1:50051", "is not an address; allowed are HOST:PORT, [IPV6]:PORT"),
        ("localhost:65536", "a port from 0 to 65535"),
        ("localhost:-1", "a port from 0 to 65535"),
        ("localhost:http", "a port from 0 to 65535"),
        ("localhost:٣", "a port from 0 to 65535"),
        ("unix:", "has no path; allowed are HOST:PORT"),
        ("unix:/a\0b", "has no path"),
        ("unix:/" + "x" * 107, "has a path of 108 bytes; the system allows at most 107"),
        ("unix:/" + "é" * 54, "has a path of 109 bytes; the system allows at most 107"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(text: str, problem: str) -> None:
    with pytest.raises(ListenError) as caught:
        parse_address(text)
    assert problem in str(caught.value)
    assert repr(text) in str(caught.value)


class TestTcp:
    """``check_tcp``."""

    def test_accepts_a_free_port(self) -> None:
        check_tcp(TcpAddress("127.0.0.1", 0))

    def test_finds_a_busy_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = TcpAddress("127.0.0.1", server.getsockname()[1])
            with pytest.raises(AddressBusy, match=f"cannot listen on {address}: Address already in use"):
                check_tcp(address)

    def test_says_that_a_host_is_not_ours(self) -> None:
        with pytest.raises(ListenError) as caught:
            check_tcp(TcpAddress("192.0.2.1", 0))
        assert not isinstance(caught.value, AddressBusy)
        assert "192.0.2.1:0" in str(caught.value)


@pytest.fixture
def address(tmp_path: Path) -> UnixAddress:
    return UnixAddress(tmp_path / "core.sock")


def leave_stale_socket(path: Path) -> None:
    """A socket whose server is dead."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


class TestUnixSocketGuard:
    """``UnixSocketGuard``."""

    def test_keeps_a_second_owner_away_until_it_is_closed(self, address: UnixAddress) -> None:
        guard = UnixSocketGuard(address)
        with pytest.raises(AddressBusy, match="another server owns it"):
            UnixSocketGuard(address)
        guard.close()
        UnixSocketGuard(address).close()

    def test_leaves_nothing_behind(self, address: UnixAddress) -> None:
        guard = UnixSocketGuard(address)
        leave_stale_socket(address.path)
        guard.close()
        assert os.listdir(address.path.parent) == []

    def test_removes_the_socket_of_a_dead_server(self, address: UnixAddress) -> None:
        leave_stale_socket(address.path)
        guard = UnixSocketGuard(address)
        assert not address.path.exists()
        guard.close()

    def test_does_not_take_a_path_from_a_server_without_a_lock(self, address: UnixAddress) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(address.path))
            server.listen()
            with pytest.raises(AddressBusy, match="another process listens there"):
                UnixSocketGuard(address)
            assert address.path.exists()
        assert not address.path.with_name("core.sock.lock").exists()

    def test_does_not_delete_what_is_not_a_socket(self, address: UnixAddress) -> None:
        address.path.write_text("precious")
        with pytest.raises(ListenError, match="not a socket"):
            UnixSocketGuard(address)
        assert address.path.read_text() == "precious"

    def test_makes_a_missing_directory_for_its_owner_only(self, tmp_path: Path) -> None:
        guard = UnixSocketGuard(UnixAddress(tmp_path / "run" / "core.sock"))
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
        guard.close()

    @pytest.mark.parametrize(
        ("mode", "is_allowed"), [(0o700, True), (0o755, True), (0o1777, True), (0o777, False), (0o770, False)]
    )
    def test_wants_a_directory_in_which_others_cannot_replace_the_socket(
        self, address: UnixAddress, mode: int, is_allowed: bool
    ) -> None:
        address.path.parent.chmod(mode)
        if is_allowed:
            UnixSocketGuard(address).close()
            return
        with pytest.raises(ListenError, match=f"mode {mode:04o}.*use a directory of mode 0700"):
            UnixSocketGuard(address)

    def test_does_not_follow_a_lock_that_is_a_link(self, address: UnixAddress, tmp_path: Path) -> None:
        target = tmp_path / "target"
        address.path.with_name("core.sock.lock").symlink_to(target)
        with pytest.raises(ListenError):
            UnixSocketGuard(address)
        assert not target.exists()

    def test_says_when_the_directory_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ListenError, match=r"Not a directory|File exists"):
            UnixSocketGuard(UnixAddress(tmp_path / "file" / "core.sock"))

    def test_restricts_the_socket_to_its_owner(self, address: UnixAddress) -> None:
        guard = UnixSocketGuard(address)
        leave_stale_socket(address.path)
        guard.restrict()
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600
        guard.close()
