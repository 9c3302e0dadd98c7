"""The scripted models obey the contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.model_facts import AdapterInfo
from service.testing.scripted_model import ScriptedEncoderModel, ScriptedModel, VirtualClock
from tests.contract.adapters import AdapterContract
from tests.contract.encoder import EncoderContract
from tests.contract.language_model import LanguageModelContract

if TYPE_CHECKING:
    from tests.contract.base import ModelFactory


class TestScriptedModel(LanguageModelContract, AdapterContract):
    """The model without weights."""

    shift_is_exact = True

    @pytest.fixture
    def model_factory(self) -> ModelFactory:
        """Scripted models."""

        def create(n_cells: int, n_seq_max: int, *, embedding: bool = False) -> ScriptedModel:
            return ScriptedModel(
                n_cells=n_cells,
                n_seq_max=n_seq_max,
                n_hidden=32 if embedding else 0,
                clock=VirtualClock(),
                can_interrupt=True,
            )

        return create

    @pytest.fixture
    def adapted(self) -> ScriptedModel:
        """With two adapters, both left out."""
        adapters = (AdapterInfo("a.gguf", "aa", 10.0), AdapterInfo("b.gguf", "bb", 10.0))
        return ScriptedModel(n_cells=96, n_seq_max=3, adapters=adapters)


class TestScriptedEncoder(EncoderContract):
    """The encoder without weights."""

    @pytest.fixture
    def encoder(self) -> ScriptedEncoderModel:
        """For inputs of 64 tokens."""
        return ScriptedEncoderModel(n_hidden=64)
