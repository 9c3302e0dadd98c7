"""Random schemas, and random draws over the vocabulary of the default model: whatever comes out obeys its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings

from service.config import ModelConfig
from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintKind, ConstraintSpec, JsonStyle
from service.errors import InvalidArgument
from service.llama.loader import load
from slotline.cli.default_model import default_model_path
from tests.support.properties import fuzzed
from tests.support.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.constraints.grammar import LarkGuide
    from service.llama.vocabulary import LlamaVocabulary

#: Tokens after which draws lean towards the end, and after which there is none.
LEANING, MOST = 60, 400
N_SCHEMAS = max(200, fuzzed.max_examples)
#: Parts of all schemas that may be refused, most of them because nothing obeys them; and of texts without an end.
MOST_REFUSED, MOST_ENDLESS = 0.35, 0.03


class Draws:
    """Random texts of a vocabulary.

    Args:
        vocabulary: the model's.
    """

    def __init__(self, vocabulary: LlamaVocabulary) -> None:
        self._vocabulary = vocabulary
        closing = {ord(character) for character in '"}],'}
        self._leaning = np.zeros(vocabulary.n_vocab, np.float32)
        self._leaning[
            [token for token, data in enumerate(vocabulary.bytes_by_token) if data and set(data) <= closing]
        ] = 6
        self._leaning[list(vocabulary.eog_tokens)] = 20

    def text(self, guide: LarkGuide, seed: int) -> str | None:
        """A text that follows a guide, None if it has no end."""
        grammar, random = guide.start(), np.random.default_rng(seed)
        said = b""
        for place in range(MOST):
            logits = random.standard_normal(self._vocabulary.n_vocab, np.float32)
            if place > LEANING:
                logits += self._leaning
            token = int(logits.argmax())
            if not grammar.allows(token):
                grammar.mask(logits)
                token = int(logits.argmax())
                assert grammar.allows(token), "mask and test must agree"
            if token in self._vocabulary.eog_tokens:
                return said.decode()
            grammar.accept(token)
            said += self._vocabulary.token_bytes(token)
        return None


@pytest.fixture(scope="module")
def vocabulary() -> Iterator[LlamaVocabulary]:
    with load(ModelConfig(path=str(default_model_path()), n_ctx=32, n_parallel=1, n_threads=1)) as model:
        yield model.vocabulary


@pytest.fixture(scope="module")
def compiler(vocabulary: LlamaVocabulary) -> Iterator[ConstraintCompiler]:
    compiler = ConstraintCompiler.of(vocabulary)
    yield compiler
    compiler.close()


@pytest.mark.parametrize("style", [JsonStyle(), JsonStyle(disable_any_whitespace=True)], ids=["spaced", "compact"])
def test_what_is_drawn_obeys_its_schema(
    vocabulary: LlamaVocabulary, compiler: ConstraintCompiler, style: JsonStyle
) -> None:
    draws = Draws(vocabulary)
    counts = {"schemas": 0, "refused": 0, "texts": 0, "endless": 0}

    # Reproducible: the shares below are those of certain schemas.
    @settings(fuzzed, max_examples=N_SCHEMAS, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(SCHEMAS)
    def check(schema: dict[str, Any]) -> None:
        counts["schemas"] += 1
        spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, json.dumps(schema), style)
        try:
            guide = compiler.compile(spec, field="constraint.json_schema")
        except InvalidArgument as error:
            event("refused")
            assert error.problem
            counts["refused"] += 1
            return
        for seed in range(3):
            text = draws.text(guide, seed)
            counts["texts"] += 1
            if text is None:
                counts["endless"] += 1
            else:
                jsonschema.validate(json.loads(text), schema)

    check()
    assert counts["schemas"] >= N_SCHEMAS
    assert counts["refused"] <= MOST_REFUSED * counts["schemas"], counts
    assert counts["endless"] <= MOST_ENDLESS * counts["texts"], counts
