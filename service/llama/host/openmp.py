"""How many threads OpenMP gives to what computes next.

The library asks OpenMP for a fixed number of threads whenever it computes a graph. A thread that may have no parallel
regions gets one instead, which the library is ready for. It can be changed between two graphs:
``omp_set_max_active_levels``, https://www.openmp.org/spec-html/5.2/openmpse119.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.llama.host.library import Library

_NONE, _ONE = 0, 1


class TeamSwitch:
    """Lets the calling thread compute alone, or with as many threads as the library asks for.

    Args:
        library: the library.
    """

    def __init__(self, library: Library) -> None:
        self._set_levels = library.function("omp_set_max_active_levels")
        self._is_alone = False

    @property
    def works(self) -> bool:
        """Whether the library computes with OpenMP; otherwise nothing is changed."""
        return self._set_levels is not None

    def compute_alone(self, is_alone: bool) -> None:
        """From now on, in this thread."""
        if self._set_levels is not None and is_alone != self._is_alone:
            self._set_levels(_NONE if is_alone else _ONE)
            self._is_alone = is_alone
