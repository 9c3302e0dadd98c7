"""docs/tls.md: its commands and its program, run as they are written; only the address is replaced."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.scripted_core import WAIT_S, core_config
from tests.support.scripted_service import CoreThread

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs/tls.md").read_text()


def test_the_certificates_of_the_page_let_its_program_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^ {4}((?:openssl|printf) .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        subprocess.run(command, shell=True, check=True, capture_output=True)
    config = replace(core_config(), grpc_tls_cert="server.pem", grpc_tls_key="server.key", grpc_client_ca="ca.pem")
    core = CoreThread(config)
    try:
        program = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
        assert program
        port = core.server.addresses[0].rpartition(":")[2]
        command = [sys.executable, "-c", program[1].replace("50051", port)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    finally:
        core.close()
    assert (ran.stdout, ran.stderr) == ("2\n", "")
