"""From measured steps to a cost profile: least squares over relative errors."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.harness.stats import median
from bench.simulation.profile import TILE, CostProfile

if TYPE_CHECKING:
    from collections.abc import Sequence

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a measured step evaluated.

    Attributes:
        n_prefill: tokens of a prompt, behind ``n_before`` others of it.
        n_decode: sequences that decode; each holds ``n_context`` tokens.
        n_cells: cells in use before the step.
    """

    n_prefill: int
    n_decode: int
    n_before: int
    n_context: int
    n_cells: int

    @property
    def n_tokens(self) -> int:
        """All tokens of the step."""
        return self.n_prefill + self.n_decode

    @property
    def n_attended(self) -> int:
        """Cells of its own sequence up to itself, summed over the tokens."""
        in_prompt = self.n_prefill * self.n_before + self.n_prefill * (self.n_prefill + 1) // 2
        return in_prompt + self.n_decode * (self.n_context + 1)


@dataclass(frozen=True, slots=True)
class Fit:
    """A profile, and how far it is from what was measured: relative errors, the typical one and the largest."""

    profile: CostProfile
    median_error: float
    max_error: float


def fit(measured: dict[Shape, float], *, copy_cell_s: float, cell_bytes: int, conditions: dict[str, str]) -> Fit:
    """Fit a profile to seconds of steps.

    The cost of batches gets a point for every number of tokens that was measured for a prompt or for decoding alone.

    Args:
        measured: seconds by shape; at least as many as there are coefficients, with different contexts and cells.
        copy_cell_s, cell_bytes, conditions: the profile's own.
    """
    knots = sorted({shape.n_tokens for shape in measured if not (shape.n_prefill and shape.n_decode)})
    seconds = np.array(list(measured.values()))
    rows = np.array([_coefficients(shape, knots) for shape in measured])
    *batch, row_s, walk_s, tiled_walk_s, attend_s, tiled_attend_s = _solve(rows / seconds[:, None]).tolist()
    profile = CostProfile(
        batch_s=tuple(zip(knots, batch, strict=True)),
        row_s=row_s,
        walk_s=(walk_s, tiled_walk_s),
        attend_s=(attend_s, tiled_attend_s),
        copy_cell_s=copy_cell_s,
        cell_bytes=cell_bytes,
        conditions=conditions,
    )
    errors = [abs(predict(profile, shape) / second - 1) for shape, second in measured.items()]
    return Fit(profile, median(errors), max(errors))


def predict(profile: CostProfile, shape: Shape) -> float:
    """Seconds of a step of that shape."""
    return profile.step_s(shape.n_tokens, shape.n_decode, shape.n_attended, shape.n_cells + shape.n_tokens)


def _coefficients(shape: Shape, knots: Sequence[int]) -> list[float]:
    """Factors of the points of the batch cost, of a row, and of walking and attending in small and in large steps."""
    place = min(max(bisect_left(knots, shape.n_tokens), 1), len(knots) - 1)
    part = (shape.n_tokens - knots[place - 1]) / (knots[place] - knots[place - 1])
    parts = [0.0] * len(knots)
    parts[place - 1], parts[place] = 1 - part, part
    walked = shape.n_tokens * (shape.n_cells + shape.n_tokens)
    is_small, is_large = shape.n_tokens < TILE, shape.n_tokens >= TILE
    attended = shape.n_attended
    return [*parts, shape.n_decode, is_small * walked, is_large * walked, is_small * attended, is_large * attended]


def _solve(rows: Matrix) -> Matrix:
    """Least squares to ones. What comes out negative is left out: nothing makes a step faster."""
    used = np.ones(rows.shape[1], bool)
    while True:
        solution = np.zeros(rows.shape[1])
        solution[used] = np.linalg.lstsq(rows[:, used], np.ones(len(rows)), rcond=None)[0]
        if (solution >= 0).all():
            return solution
        used &= solution >= 0
