"""What a step costs on some machine with some model, as a formula with measured coefficients."""

from __future__ import annotations

import dataclasses
import json
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Measured with the default model on two cores.
DEFAULT_PROFILE = Path(__file__).with_name("two_cores.json")

#: Tokens of a step from which on llama.cpp's CPU kernel for flash attention works in tiles.
TILE = 64


@dataclass(frozen=True, slots=True)
class CostProfile:
    """Seconds of a step, as a sum over what it does.

    What a batch costs depends on its tokens, but not in proportion: the library's kernels like some sizes better than
    others, so that 64 tokens may cost less than 48. A row of logits is computed and sampled for every token that is
    chosen. For the attention each token walks over all cells in use and attends to those of its own sequence; steps of
    ``TILE`` tokens or more do that in another way than smaller ones, several times as fast.

    Attributes:
        batch_s: (tokens, seconds), ascending in tokens, at least two; in between and beyond it is a line.
        row_s: seconds for the logits of a token and for sampling from them.
        walk_s: seconds for each token and each cell in use; of small steps, and of those of ``TILE`` tokens or more.
        attend_s: seconds for each token and each cell of its own sequence; likewise.
        copy_cell_s: seconds to copy a cell out of the cache or back.
        cell_bytes: main memory that a copied cell takes.
        conditions: on what it was measured.
    """

    batch_s: tuple[tuple[int, float], ...]
    row_s: float
    walk_s: tuple[float, float]
    attend_s: tuple[float, float]
    copy_cell_s: float
    cell_bytes: int
    conditions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def step_s(self, n_tokens: int, n_rows: int, n_attended: int, n_cells: int) -> float:
        """Seconds of a step.

        Args:
            n_tokens: its tokens, one at least.
            n_rows: rows of logits.
            n_attended: cells of its own sequence up to itself, summed over the tokens.
            n_cells: cells in use, those of the step included.
        """
        size = int(n_tokens >= TILE)
        walk_s = self.walk_s[size] * n_tokens * n_cells
        return self._batch(n_tokens) + self.row_s * n_rows + walk_s + self.attend_s[size] * n_attended

    def to_json(self) -> str:
        """As a file that ``read_profile`` reads."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def _batch(self, n_tokens: int) -> float:
        place = bisect_left(self.batch_s, n_tokens, 1, len(self.batch_s) - 1, key=_tokens)
        (low, low_s), (high, high_s) = self.batch_s[place - 1 : place + 1]
        return low_s + (high_s - low_s) * (n_tokens - low) / (high - low)


def read_profile(path: Path) -> CostProfile:
    """Read what ``measure`` wrote.

    Raises:
        BenchError: the file cannot be read, or is no profile.
    """
    try:
        fields = json.loads(path.read_text())
        fields["batch_s"] = tuple((int(n_tokens), float(seconds)) for n_tokens, seconds in fields["batch_s"])
        for name in ("walk_s", "attend_s"):
            small, large = fields[name]
            fields[name] = float(small), float(large)
        profile = CostProfile(**fields)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"--profile: {path} is no cost profile ({error}); `measure` writes one") from error
    counts = [n_tokens for n_tokens, _ in profile.batch_s]
    if len(counts) < 2 or counts != sorted(set(counts)):
        raise BenchError(f"--profile: {path} has batch_s {counts}; allowed are two or more ascending numbers of tokens")
    return profile


def _tokens(point: tuple[int, float]) -> int:
    return point[0]
