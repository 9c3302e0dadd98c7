"""Rows of pictures that the core evaluates by itself are worth what the library's own helper makes of the pictures."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from service.config import ModelConfig
from service.engine.language_model import MediaSegment, Segment
from service.engine.request.media import MediaChunk
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from tests.support.library_helper import helper_answers
from tests.support.seeing_model import COLOURS, PRIMARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.seeing_model import Kind, Pixels, Projector, SeeingModels, TextModel

N_PROMPTS, N_TOKENS = 12, 6
#: What the projectors put around a picture.
AROUND: dict[Kind, tuple[str, str]] = {
    "causal": ("", ""),
    "bidirectional": ("<start_of_image>", "<end_of_image>"),
    "grid": ("<|vision_start|>", "<|vision_end|>"),
}
WORDS = ("The car", "is", "big and", "a red cat", "sat on the mat", "in", "my old", "house.", "Who likes", "green tea?")
#: Rows and columns of pictures that Qwen2-VL's projector does not resize.
GRIDS = ((2, 4), (4, 2), (3, 3), (3, 4), (5, 2), (4, 4))


@dataclass(slots=True)
class Telling:
    """A sequence to which a prompt is appended by calls of the model."""

    model: LlamaModel
    seq_id: int
    position: int = 0
    n_cells: int = 0
    pending: list[int] = field(default_factory=list)

    def text(self, text: str) -> None:
        """Append a text, together with the next ones."""
        self.pending += self.model.vocabulary.tokenize(text, parse_special=True)

    def picture(self, projector: Projector, pixels: Pixels, cuts: random.Random) -> None:
        """Append a picture, in parts if they may be parts."""
        before, behind = AROUND[projector.kind]
        self.text(before)
        self.flush(n_logits=0)
        chunk = chunk_of(self.model, projector, pixels)
        start, n_rows = 0, len(chunk.rows)
        while start < n_rows:
            n_part = cuts.randint(1, n_rows - start) if chunk.is_causal else n_rows
            self.model.compute.decode_media([MediaSegment(self.seq_id, self.position, chunk, start, n_part)])
            start += n_part
        self.position += chunk.n_positions
        self.n_cells += n_rows
        self.text(behind)

    def flush(self, *, n_logits: int) -> None:
        """Evaluate the texts that wait."""
        if self.pending:
            self.model.compute.decode([Segment(self.seq_id, self.position, self.pending, n_logits)])
            self.position += len(self.pending)
            self.n_cells += len(self.pending)
            self.pending = []

    def go_on(self) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Choose the likeliest tokens, and give the logits that they were chosen from."""
        self.flush(n_logits=1)
        tokens: list[int] = []
        rows = []
        while True:
            rows.append(self.model.compute.logits(0).copy())
            tokens.append(int(rows[-1].argmax()))
            if len(tokens) == N_TOKENS:
                return tokens, np.array(rows)
            self.model.compute.decode([Segment(self.seq_id, self.position + len(tokens) - 1, [tokens[-1]], 1)])


def chunk_of(model: LlamaModel, projector: Projector, pixels: Pixels) -> MediaChunk:
    """A picture's chunk, by numpy."""
    rows = projector.expected_rows(pixels)
    if not model.info.has_grid:
        return MediaChunk(b"", rows, None, len(rows), projector.kind != "bidirectional")
    height, width = (length // projector.side for length in pixels.shape[:2])
    grid = np.array([(0, y, x) for y in range(height) for x in range(width)], np.int32)
    return MediaChunk(b"", rows, grid, max(height, width), is_causal=True)


def prompts_for(projector: Projector) -> list[list[str | Pixels]]:
    """Texts with one or two pictures of pure colours, the same every time."""
    source = random.Random(7)
    names = PRIMARY if projector.kind == "bidirectional" else tuple(COLOURS)

    def text() -> str:
        return " ".join(source.choices(WORDS, k=source.randint(1, 4)))

    def picture() -> Pixels:
        height, width = source.choice(GRIDS) if projector.kind == "grid" else (projector.n_side, projector.n_side)
        return projector.draw(*(" ".join(source.choices(names, k=width)) for _ in range(height)))

    def prompt() -> list[str | Pixels]:
        parts: list[str | Pixels] = [text()]
        for _ in range(source.randint(1, 2)):
            parts += [picture(), f" {text()}"]
        return parts

    return [prompt() for _ in range(N_PROMPTS)]


@pytest.mark.parametrize(
    ("kind", "text_model"),
    [("causal", "default"), ("bidirectional", "default"), ("bidirectional", "gemma"), ("grid", "mrope")],
)
def test_rows_are_evaluated_as_by_the_helper_of_the_library(
    seeing: SeeingModels, kind: Kind, text_model: TextModel
) -> None:
    projector = seeing.projector(kind, text_model)
    prompts = prompts_for(projector)
    references = helper_answers(projector.text_model, projector.path, prompts, n_tokens=N_TOKENS)
    cuts = random.Random(3)
    config = ModelConfig(str(projector.text_model), n_ctx=1024, n_parallel=3, n_threads=1)
    with load(config) as model:
        assert isinstance(model, LlamaModel)
        model.compute.decode(
            [Segment(3, 0, model.vocabulary.tokenize("Somebody else is here.", parse_special=True), 0)]
        )
        for number, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
            telling = Telling(model, number % 3)
            assert model.memory.remove(telling.seq_id, 0, -1)
            tell(telling, projector, prompt, cuts)
            tokens, logits = telling.go_on()
            assert (telling.n_cells, telling.position) == (reference.n_cells, reference.n_positions)
            assert tokens == reference.tokens
            assert np.array_equal(logits, reference.logits)


def tell(telling: Telling, projector: Projector, prompt: Sequence[str | Pixels], cuts: random.Random) -> None:
    """Append a prompt, but for its last text."""
    bos = telling.model.vocabulary.prompt_bos_token
    telling.pending = [] if bos < 0 else [bos]
    for part in prompt:
        if isinstance(part, str):
            telling.text(part)
        else:
            telling.picture(projector, part, cuts)
