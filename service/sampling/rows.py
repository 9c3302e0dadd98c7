"""Chooses a token from each of several rows of logits, with as few passes and calls for all of them as for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.sampling.candidates import Candidates
from service.sampling.heads import find_heads
from service.sampling.penalties import apply_together
from service.sampling.sampler import Choice, SampledToken, Sampler
from service.sampling.short_chain import draw_places, run_chains

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Outcome = SampledToken | Exception


#: A row to choose from: its number, the sampler of the request that it belongs to, and whether no end-of-generation
#: token may be chosen this time.
Draw = tuple[int, Sampler, bool]


def sample_rows(matrix: Matrix, draws: Sequence[Draw]) -> list[Outcome]:
    """Choose a token for each draw, the same one as ``Sampler.sample`` would. Nothing is accepted yet.

    Args:
        matrix: logits, shape (all rows, n_vocab), contiguous and writable; changed in place.
        draws: rows ascending, each once, and samplers, each once.

    Returns:
        For each draw its token, or an error that concerns it alone, for example ``UnusableLogits``.
    """
    if len(draws) == 1:
        row, sampler, ban_eog = draws[0]
        try:
            return [sampler.sample(matrix[row], ban_eog=ban_eog)]
        except Exception as error:
            return [error]
    # As in ``Sampler.sample``, whose steps these are.
    with np.errstate(all="ignore"):
        raws = _prepare(matrix, draws)
        choices = _choose(matrix, draws)
        return [
            SampledToken(choice.token)
            if raw is None and choice is not None and sampler.is_plain
            else _finish(matrix[row], sampler, choice, raw)
            for (row, sampler, _), raw, choice in zip(draws, raws, choices, strict=True)
        ]


def _prepare(matrix: Matrix, draws: Sequence[Draw]) -> list[Row | Exception | None]:
    """Biases, bans and penalties; returns what ``Sampler.prepare`` does, or its error."""
    raws: list[Row | Exception | None] = []
    windows, dried = [], []
    for row, sampler, ban_eog in draws:
        try:
            raws.append(sampler.prepare(matrix[row], ban_eog=ban_eog))
        except Exception as error:
            raws.append(error)
        window = sampler.penalties
        if window is not None and window.only_repeats:
            windows.append((row, window))
        elif window is not None:
            window.apply(matrix[row])
        if sampler.dry is not None:
            dried.append((row, sampler.dry))
    if windows:
        apply_together(matrix, windows)
    for row, dry in dried:
        dry.apply(matrix[row])
    return raws


def _choose(matrix: Matrix, draws: Sequence[Draw]) -> list[Choice | None]:
    """Choose where that is possible for several rows at once; None for the others."""
    choices: list[Choice | None] = [None] * len(draws)
    groups: dict[object, list[int]] = {}
    for place, (_, sampler, _) in enumerate(draws):
        if sampler.short_chain is not None:
            groups.setdefault(sampler.short_chain.shape, []).append(place)
    for places in groups.values():
        if len(places) > 1:
            group = [draws[place] for place in places]
            for place, choice in zip(places, _choose_together(matrix, group), strict=True):
                choices[place] = choice
    return choices


def _choose_together(matrix: Matrix, draws: Sequence[Draw]) -> Sequence[Choice | None]:
    """Choose from rows whose chains have one shape; None for rows that have to be looked at by themselves."""
    chains = [sampler.short_chain for _, sampler, _ in draws if sampler.short_chain is not None]
    heads = find_heads(matrix, [row for row, _, _ in draws], chains[0].shape[0])
    if heads is None or not all(heads.is_usable):
        return [None] * len(draws)
    logits, lengths = run_chains(heads.logits, chains)
    # A row's generator is asked only now that nothing can go wrong any more, for one number as ever.
    drawn = draw_places(logits, lengths, [sampler.random.random() for _, sampler, _ in draws])
    tokens = heads.ids[np.arange(len(draws)), drawn].tolist()
    if all(sampler.is_plain for _, sampler, _ in draws):
        return [Choice(token, None) for token in tokens]
    return [
        Choice(token, Candidates(ids[:length], row[:length], is_sorted=True))
        for token, ids, row, length in zip(tokens, heads.ids, logits, lengths.tolist(), strict=True)
    ]


def _finish(logits: Row, sampler: Sampler, choice: Choice | None, raw: Row | Exception | None) -> Outcome:
    """What a request makes of its choice, which is made here if there is none yet."""
    if isinstance(raw, Exception):
        return raw
    try:
        return sampler.finish(logits, choice or sampler.choose(logits), raw)
    except Exception as error:
        return error
