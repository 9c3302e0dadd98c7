"""How tests are dealt out to the processes of pytest-xdist."""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling

#: Folders with one server or browser for all of their tests.
WHOLE = ("tests/browser/",)


class SharingFixtures(LoadScopeScheduling):
    """Keeps the tests of a file in one process, and those of some folders, so that they share what they need."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in WHOLE if nodeid.startswith(folder)), nodeid.partition("::")[0])
