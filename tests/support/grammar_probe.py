"""llama.cpp's own opinion of grammars, from a process that may die of them.

The process loads a model and answers one grammar after the other. ``parse`` hands the text to the library as it is;
``walk`` makes a grammar of it the way the engine does and generates some tokens at random.
"""

from __future__ import annotations

import enum
import random
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from service.llama.llama_model import LlamaModel

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 60.0
_WALK_STEPS = 8


class Outcome(enum.Enum):
    """What became of a grammar."""

    ACCEPTED = b"+"
    REFUSED = b"-"
    CRASHED = b"!"
    HUNG = b"?"


class GrammarProbe:
    """The process, started anew whenever it has died. Use as a context manager.

    Args:
        model_path: a model file; small is quick.
        timeout_s: for one grammar; whoever takes longer hangs.
    """

    def __init__(self, model_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._model_path = model_path
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> GrammarProbe:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def parse(self, text: str) -> Outcome:
        """What the library makes of a text that nobody has checked."""
        return self._ask(b"p", text)

    def walk(self, text: str) -> Outcome:
        """Whether the library survives generating with a grammar that the check accepts."""
        return self._ask(b"w", text)

    def _ask(self, mode: bytes, text: str) -> Outcome:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.grammar_probe", str(self._model_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._read() == b"."
        process = self._process
        assert process.stdin is not None
        process.stdin.write(mode + text.encode().hex().encode() + b"\n")
        process.stdin.flush()
        answer = self._read()
        if answer in (b"+", b"-"):
            return Outcome(answer)
        self._end()
        return Outcome.HUNG if answer is None else Outcome.CRASHED

    def _read(self) -> bytes | None:
        """One byte, none at the end, None after the timeout."""
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], self._timeout_s)
        return self._process.stdout.read(1) if ready else None

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def _serve(model_path: str) -> None:
    from service.config import ModelConfig
    from service.llama.host.library import load_library
    from service.llama.loader import load

    api = load_library().api

    def parse(model: LlamaModel, text: bytes) -> bool:
        with model.vocabulary.in_use() as vocabulary:
            sampler = api.llama_sampler_init_grammar(vocabulary, text, b"root")
        if sampler:
            api.llama_sampler_free(sampler)
        return bool(sampler)

    def walk(model: LlamaModel, text: bytes) -> bool:
        source = random.Random(len(text))
        grammar = model.vocabulary.grammar(text.decode())
        for _ in range(_WALK_STEPS):
            row = np.zeros(model.info.n_vocab, np.float32)
            grammar.mask(row)
            allowed = [int(token) for token in np.flatnonzero(row == 0)]
            others = [int(token) for token in np.flatnonzero(row != 0)]
            for tokens, is_allowed in ((allowed, True), (others, False)):
                for token in source.sample(tokens, min(len(tokens), 20)):
                    assert grammar.allows(token) is is_allowed
            going_on = [token for token in allowed if token not in model.info.eog_tokens]
            if not going_on:
                break
            grammar.accept(source.choice(going_on))
        grammar.close()
        return True

    with load(ModelConfig(path=model_path, n_ctx=32, n_parallel=1, n_threads=1)) as model:
        assert isinstance(model, LlamaModel)
        sys.stdout.buffer.write(b".")
        sys.stdout.buffer.flush()
        for line in sys.stdin.buffer:
            text = bytes.fromhex(line[1:].decode())
            is_accepted = (parse if line[:1] == b"p" else walk)(model, text)
            sys.stdout.buffer.write(b"+" if is_accepted else b"-")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
