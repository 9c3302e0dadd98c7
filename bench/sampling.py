"""Time to choose one token: this project's sampler against the same chain built of llama.cpp's C samplers.

Rows of logits come from a real generation. Each row is put back into the context's own buffer before every call, then
``llama_sampler_sample`` (which fills the candidate array, applies the chain and accepts) and ``Sampler.sample`` with
``Sampler.accept`` take turns on it. Only the calls are timed. The C chains have no tail-free step: it was removed.

    python -m bench.sampling --repeats 7 --json sampling.json
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import llama_cpp
import numpy as np
import numpy.typing as npt

from bench.harness.errors import BenchError
from bench.harness.machine import conditions
from bench.harness.report import Figure, Goal, Result, to_json
from bench.harness.stats import median, pair_ratios
from bench.harness.tables import render_result
from bench.settings import Settings, default_model
from service.sampling.sampler import Sampler
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Row = npt.NDArray[np.float32]

_TEXT = (
    "The harbour was quiet in the morning. A fishing boat came in with the tide, and two men began to unload the "
    "boxes while the gulls waited on the wall. Nobody in the village had seen the stranger who stood at the end of "
    "the pier and looked at the sea. He asked one of the men where the road to the lighthouse began, and"
)
_OURS, _THEIRS = "Slotline", "llama.cpp"
_ROWS = 48
_PASSES = 6
_SEED = 1
_N_CTX = 512

# Keeps llama.cpp's messages out of the table; what fails is reported by return values.
_QUIET = llama_cpp.llama_log_callback(lambda level, text, user_data: None)


@dataclass(frozen=True, slots=True)
class Contest:
    """One set of options and the C chain that does the same.

    Attributes:
        name: shown in the table.
        settings: for this project's sampler.
        c_samplers: makes llama.cpp's samplers in their order.
        most_us: limit for this project's median in microseconds, or None.
        most_ratio: limit for this project's time over llama.cpp's, or None.
    """

    name: str
    settings: SamplingSettings
    c_samplers: Callable[[int], list[int]]
    most_us: float | None = None
    most_ratio: float | None = None


def contests() -> tuple[Contest, ...]:
    """What is measured, the defaults first."""

    def penalties(n_vocab: int) -> int:
        return _made(llama_cpp.llama_sampler_init_penalties(n_vocab, 64, 1.1, 0.0, 0.0))

    def dist() -> int:
        return _made(llama_cpp.llama_sampler_init_dist(_SEED))

    def top_k() -> int:
        return _made(llama_cpp.llama_sampler_init_top_k(40))

    def top_p() -> int:
        return _made(llama_cpp.llama_sampler_init_top_p(0.95, 1))

    def min_p() -> int:
        return _made(llama_cpp.llama_sampler_init_min_p(0.05, 1))

    def typical() -> int:
        return _made(llama_cpp.llama_sampler_init_typical(0.5, 1))

    def temperature() -> int:
        return _made(llama_cpp.llama_sampler_init_temp(0.8))

    def mirostat() -> int:
        return _made(llama_cpp.llama_sampler_init_mirostat_v2(_SEED, 5.0, 0.1))

    def greedy() -> int:
        return _made(llama_cpp.llama_sampler_init_greedy())

    off = SamplingSettings(seed=_SEED, repeat_penalty=1.0, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
    return (
        Contest(
            "defaults",
            SamplingSettings(seed=_SEED),
            lambda n: [penalties(n), top_k(), top_p(), min_p(), temperature(), dist()],
            most_us=90,
            most_ratio=0.5,
        ),
        Contest(
            "greedy with penalties",
            SamplingSettings(seed=_SEED, temperature=0.0),
            lambda n: [penalties(n), greedy()],
        ),
        Contest("top_k 40 alone", replace(off, top_k=40), lambda n: [top_k(), dist()]),
        Contest(
            "top_p 0.95 alone",
            replace(off, top_p=0.95),
            lambda n: [top_p(), dist()],
        ),
        Contest(
            "typical_p 0.5 alone",
            replace(off, typical_p=0.5),
            lambda n: [typical(), dist()],
        ),
        Contest("plain softmax", off, lambda n: [dist()]),
        Contest(
            "mirostat 2",
            SamplingSettings(seed=_SEED, repeat_penalty=1.0, mirostat=2),
            lambda n: [temperature(), mirostat()],
        ),
    )


def run(settings: Settings) -> Result:
    """Measure every contest ``settings.repeats`` times; a sample is the median of one pass over all rows.

    Raises:
        BenchError: the model cannot be loaded.
    """
    with _loaded(settings.model, settings.threads) as model:
        figures: list[Figure] = []
        for contest in contests():
            ours, theirs = _measure(model, contest, settings.repeats)
            limit_us = None if contest.most_us is None else Goal("at most", contest.most_us)
            limit_ratio = None if contest.most_ratio is None else Goal("at most", contest.most_ratio)
            figures += [
                Figure(contest.name, "us/token", ours, limit_us, column=_OURS),
                Figure(contest.name, "us/token", theirs, column=_THEIRS),
                Figure(contest.name, "", pair_ratios(ours, theirs), limit_ratio, column=_OURS, against=_THEIRS),
            ]
        title = f"choosing one of {model.n_vocab} tokens, against llama.cpp's C samplers"
        return Result("sampling", title, tuple(figures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run this benchmark alone; returns the exit code, 1 if a goal was missed or the benchmark could not run."""
    parser = argparse.ArgumentParser(prog="python -m bench.sampling", description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="GGUF file (default: the default model)")
    parser.add_argument("--repeats", type=int, default=7, help="samples of each figure (default: 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    options = parser.parse_args(arguments)
    try:
        model = options.model or default_model()
        result = run(Settings(model=model, peers_python=Path(sys.executable), repeats=options.repeats))
    except BenchError as error:
        print(f"bench.sampling: {error}", file=sys.stderr)
        return 1
    print(render_result(result))
    if options.json is not None:
        options.json.write_text(to_json([result], conditions()))
    return 1 if any(figure.is_goal_met is False for figure in result.figures) else 0


@dataclass(frozen=True, slots=True)
class _Model:
    """A context with one row of logits, and rows to put into it."""

    context: int
    n_vocab: int
    nl_token: int
    eog_tokens: frozenset[int]
    prompt: tuple[int, ...]
    row: Row
    rows: tuple[Row, ...]


@contextmanager
def _loaded(path: Path, threads: int) -> Iterator[_Model]:
    """Load the model and generate the rows with the default options."""
    llama_cpp.llama_log_set(_QUIET, None)
    llama_cpp.llama_backend_init()
    model_params = llama_cpp.llama_model_default_params()
    # Repacked weights make decoding faster, which is not measured here, and loading slower.
    model_params.use_extra_bufts = False
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
    if model is None:
        raise BenchError(f"{path}: llama.cpp cannot load it; name a GGUF file with --model")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = _N_CTX
    params.n_threads = params.n_threads_batch = threads
    context = llama_cpp.llama_init_from_model(model, params)
    try:
        if context is None:
            raise BenchError(f"{path}: llama.cpp cannot make a context of {_N_CTX} tokens")
        yield _generate(llama_cpp.llama_model_get_vocab(model), context)
    finally:
        if context is not None:
            llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)


def _generate(vocab: int, context: int) -> _Model:
    n_vocab = llama_cpp.llama_vocab_n_tokens(vocab)
    eog = frozenset(token for token in range(n_vocab) if llama_cpp.llama_vocab_is_eog(vocab, token))
    text = _TEXT.encode()
    buffer = (llama_cpp.llama_token * _N_CTX)()
    length = llama_cpp.llama_tokenize(vocab, text, len(text), buffer, _N_CTX, True, False)
    prompt = tuple(buffer[:length])
    nl_token = llama_cpp.llama_vocab_nl(vocab)
    sampler = Sampler(
        SamplingSettings(seed=_SEED, ignore_eos=True),
        n_vocab=n_vocab,
        nl_token=nl_token,
        eog_tokens=eog,
        n_ctx=_N_CTX,
        prompt=prompt,
    )
    rows: list[Row] = []
    tokens: Sequence[int] = prompt
    position = 0
    for _ in range(_ROWS):
        _decode(context, tokens, position)
        position += len(tokens)
        row = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), shape=(n_vocab,))
        rows.append(row.copy())
        token = sampler.sample(row).id
        sampler.accept(token)
        tokens = (token,)
    return _Model(context, n_vocab, nl_token, eog, prompt, row, tuple(rows))


def _decode(context: int, tokens: Sequence[int], position: int) -> None:
    """Append tokens to sequence 0; the logits after the last one are wanted."""
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    try:
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = position + place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = place == len(tokens) - 1
        if llama_cpp.llama_decode(context, batch) != 0:
            raise BenchError("llama_decode failed while the rows were generated")
    finally:
        llama_cpp.llama_batch_free(batch)


def _measure(model: _Model, contest: Contest, repeats: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Microseconds per token: this project's samples, llama.cpp's samples."""
    sampler = Sampler(
        contest.settings,
        n_vocab=model.n_vocab,
        nl_token=model.nl_token,
        eog_tokens=model.eog_tokens,
        n_ctx=_N_CTX,
        prompt=model.prompt,
    )
    chain = _made(llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params()))
    for c_sampler in contest.c_samplers(model.n_vocab):
        llama_cpp.llama_sampler_chain_add(chain, c_sampler)
    for token in model.prompt:
        llama_cpp.llama_sampler_accept(chain, token)

    def ours() -> None:
        sampler.accept(sampler.sample(model.row).id)

    def theirs() -> None:
        llama_cpp.llama_sampler_sample(chain, model.context, -1)

    samples: tuple[list[float], list[float]] = ([], [])
    try:
        for _ in range(repeats):
            times: tuple[list[float], list[float]] = ([], [])
            for row in model.rows * _PASSES:
                for contestant, taken in zip((ours, theirs), times, strict=True):
                    np.copyto(model.row, row)
                    started = time.perf_counter()
                    contestant()
                    taken.append((time.perf_counter() - started) * 1e6)
            for sample, taken in zip(samples, times, strict=True):
                sample.append(median(taken))
    finally:
        llama_cpp.llama_sampler_free(chain)
    return tuple(samples[0]), tuple(samples[1])


def _made(pointer: int | None) -> int:
    """What a constructor of the C library returned, which is NULL if it refused its arguments."""
    if pointer is None:
        raise BenchError("llama.cpp refused to make a sampler of a chain")
    return pointer


if __name__ == "__main__":
    sys.exit(main())
