"""All grammars obey one contract: GBNF of both models, and llguidance over both vocabularies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.config import ModelConfig
from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintSpec
from service.llama.loader import load
from service.sampling.gbnf import GbnfGuide
from tests.contract.grammar import GrammarContract
from tests.support.scripted_core import ByteVocabulary
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.llama.vocabulary import LlamaVocabulary
    from service.sampling.grammar import Grammar


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaVocabulary]:
    path = write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")
    with load(ModelConfig(path=str(path), n_ctx=64, n_parallel=1, n_threads=1)) as model:
        yield model.vocabulary


@pytest.fixture(params=["scripted", "llama"])
def vocabulary(request: pytest.FixtureRequest, tiny: LlamaVocabulary) -> Any:
    return ByteVocabulary() if request.param == "scripted" else tiny


class TestGbnf(GrammarContract):
    @pytest.fixture
    def yes_no(self, vocabulary: Any) -> Iterator[Callable[[], Grammar]]:
        made: list[Grammar] = []

        def make() -> Grammar:
            made.append(GbnfGuide('root ::= "yes" | "no"').start(vocabulary))
            return made[-1]

        yield make
        for grammar in made:
            grammar.close()


class TestConstraints(GrammarContract):
    @pytest.fixture
    def yes_no(self, vocabulary: Any) -> Iterator[Callable[[], Grammar]]:
        compiler = ConstraintCompiler.of(vocabulary)
        yield lambda: compiler.compile(ConstraintSpec.choice(["yes", "no"]), field="choice").start()
        compiler.close()
