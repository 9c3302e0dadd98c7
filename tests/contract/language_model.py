"""What every ``CausalModel`` must do. Subclass ``LanguageModelContract`` and give it a ``model_factory`` fixture."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CacheFull, CausalModel, DecodeFailed, Segment
from service.sampling.gbnf import GrammarError
from tests.contract.base import evaluate, some_tokens
from tests.contract.drafter import DrafterContract
from tests.contract.hidden_states import HiddenStatesContract
from tests.contract.interruption import InterruptionContract
from tests.contract.saving import SavingContract
from tests.contract.sharing import SharingContract


def byte_token(model: CausalModel, byte: int) -> int:
    """The token of a single byte."""
    return next(token for token in range(model.info.n_vocab) if model.vocabulary.token_bytes(token) == bytes([byte]))


class LanguageModelContract(
    SharingContract, SavingContract, HiddenStatesContract, InterruptionContract, DrafterContract
):
    """All tests."""

    def test_info_tells_what_was_asked_for(self, model: CausalModel) -> None:
        info = model.info
        assert (info.n_cells, info.n_seq_max) == (96, 3)
        assert info.n_batch >= info.n_seq_max
        assert info.n_ctx_train > 0
        assert info.can_generate
        assert model.memory.cells_free == 96
        assert info.eog_tokens <= set(range(info.n_vocab))
        for token in (info.nl_token, info.bos_token):
            assert -1 <= token < info.n_vocab

    def test_all_sequences_of_a_new_model_are_empty(self, model: CausalModel) -> None:
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [-1, -1, -1]

    def test_decode_appends_positions(self, model: CausalModel) -> None:
        model.compute.decode([Segment(1, 0, some_tokens(5), 0)])
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [-1, 4, -1]
        model.compute.decode([Segment(1, 5, some_tokens(1), 1), Segment(2, 0, some_tokens(2), 0)])
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [-1, 5, 1]

    def test_logits_are_writable_rows_of_float32(self, model: CausalModel) -> None:
        model.compute.decode([Segment(seq_id, 0, some_tokens(3, seq_id), 1) for seq_id in (2, 0)])
        first, second = model.compute.logits(0), model.compute.logits(1)
        assert first.dtype == np.float32
        assert first.shape == (model.info.n_vocab,)
        kept = second.copy()
        first[:] = -np.inf
        first[7] = 1.0
        assert model.compute.logits(0).argmax() == 7
        assert np.array_equal(model.compute.logits(1), kept)

    def test_all_rows_come_in_the_order_of_segments_and_tokens(self, model: CausalModel) -> None:
        model.compute.decode([Segment(1, 0, some_tokens(2), 0), Segment(2, 0, some_tokens(4), 2)])
        matrix = model.compute.all_logits()
        assert matrix.dtype == np.float32
        assert matrix.flags.c_contiguous
        assert matrix.flags.writeable
        assert np.array_equal(matrix, [model.compute.logits(1, row) for row in range(2)])
        model.compute.decode([Segment(1, 2, some_tokens(1), 1), Segment(2, 4, some_tokens(1), 1)])
        assert np.array_equal(model.compute.all_logits(), [model.compute.logits(index) for index in range(2)])

    def test_logits_depend_on_the_tokens_before(self, model: CausalModel) -> None:
        rows = [evaluate(model, seq_id, [*some_tokens(4, seed=seq_id), 65]) for seq_id in range(3)]
        assert not np.allclose(rows[0], rows[1]) or not np.allclose(rows[0], rows[2])

    def test_only_segments_that_wanted_logits_have_them(self, model: CausalModel) -> None:
        model.compute.decode([Segment(0, 0, some_tokens(2), 0), Segment(1, 0, some_tokens(2), 1)])
        assert model.compute.logits(1).shape == (model.info.n_vocab,)
        for index in (0, 2):
            with pytest.raises((ValueError, LookupError)):
                model.compute.logits(index)

    def test_several_tokens_of_a_segment_have_logits(self, model: CausalModel) -> None:
        prompt, tail = some_tokens(6), [65, 66, 67]
        assert model.info.n_logits >= 3
        model.compute.decode([Segment(1, 0, some_tokens(2, seed=1), 1), Segment(0, 0, [*prompt, *tail], 3)])
        rows = [model.compute.logits(1, place).copy() for place in range(3)]
        for place, row in enumerate(rows):
            self.assert_same(row, evaluate(model, 2, [*prompt, *tail[: place + 1]]))
            assert model.memory.remove(2, 0, -1)
        for index, place in ((1, 3), (1, -1), (0, 1), (2, 0)):
            with pytest.raises(ValueError):
                model.compute.logits(index, place)

    def test_every_token_of_a_chunk_can_have_logits(self, model: CausalModel) -> None:
        text = some_tokens(min(model.info.n_logits, model.info.n_batch, 40))
        assert len(text) >= 3
        model.compute.decode([Segment(0, 0, text[:3], 0)])
        model.compute.decode([Segment(0, 3, text[3:], len(text) - 3)])
        rows = [model.compute.logits(0, place).copy() for place in range(len(text) - 3)]
        evaluate(model, 1, text[:3])
        for token, row in zip(text[3:], rows, strict=True):
            self.assert_same(row, evaluate(model, 1, [token]))

    def test_more_logits_than_there_may_be_are_refused(self, model: CausalModel) -> None:
        n_logits = model.info.n_logits + 1
        if n_logits > min(model.info.n_batch, model.memory.cells_free):
            pytest.skip("a batch is not longer than that")
        with pytest.raises(DecodeFailed):
            model.compute.decode([Segment(0, 0, some_tokens(n_logits), n_logits)])
        assert model.memory.position_max(0) == -1

    def test_the_last_tokens_can_be_removed_if_the_model_says_so(self, model: CausalModel) -> None:
        if not model.info.can_cut:
            pytest.skip("this model cannot always do so")
        text = some_tokens(40)
        evaluate(model, 0, text)
        assert model.memory.remove(0, 30, -1)
        self.assert_same(evaluate(model, 0, [65]), evaluate(model, 1, [*text[:30], 65]))

    def test_filler_leaves_no_trace(self, model: CausalModel) -> None:
        text = some_tokens(12)
        model.compute.decode([Segment(0, 0, text[:5], 0)], 10)
        model.compute.decode([Segment(0, 5, text[5:], 1), Segment(1, 0, some_tokens(3, seed=1), 1)], 20)
        row = model.compute.logits(0).copy()
        assert (model.memory.cells_free, model.memory.position_max(0), model.memory.position_max(1)) == (81, 11, 2)
        self.assert_same(row, evaluate(model, 2, text))

    def test_filler_needs_room_like_others(self, model: CausalModel) -> None:
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(0, 0, some_tokens(40), 0)], 57)
        assert (model.memory.cells_free, model.memory.position_max(0)) == (96, -1)
        with pytest.raises(DecodeFailed):
            model.compute.decode([Segment(0, 0, some_tokens(4), 0)], model.info.n_batch)
        model.compute.decode([Segment(0, 0, some_tokens(40), 0)], 56)
        assert (model.memory.cells_free, model.memory.position_max(0)) == (56, 39)

    def test_sequences_in_one_decode_do_not_disturb_each_other(self, model: CausalModel) -> None:
        prompts = [some_tokens(length, seed=length) for length in (9, 1, 4)]
        alone = []
        for seq_id, prompt in enumerate(prompts):
            alone.append(evaluate(model, seq_id, prompt))
            assert model.memory.remove(seq_id, 0, -1)
        model.compute.decode([Segment(seq_id, 0, prompt, 1) for seq_id, prompt in enumerate(prompts)])
        for index, reference in enumerate(alone):
            self.assert_same(model.compute.logits(index), reference)

    def test_a_prompt_in_pieces_equals_the_prompt_at_once(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        at_once = evaluate(model, 0, prompt)
        for piece in (prompt[:7], prompt[7:8], prompt[8:]):
            in_pieces = evaluate(model, 1, piece)
        self.assert_same(in_pieces, at_once)

    def test_a_removed_tail_can_be_decoded_again(self, model: CausalModel) -> None:
        prompt = some_tokens(10)
        reference = evaluate(model, 0, prompt)
        if not model.memory.remove(0, 6, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        assert model.memory.position_max(0) == 5
        self.assert_same(evaluate(model, 0, prompt[6:]), reference)

    def test_a_removed_tail_leaves_no_trace(self, model: CausalModel) -> None:
        prompt = some_tokens(10)
        evaluate(model, 0, [*prompt[:6], *some_tokens(8, seed=1)])
        if not model.memory.remove(0, 6, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        self.assert_same(evaluate(model, 0, prompt[6:]), evaluate(model, 1, prompt))

    def test_removing_nothing_succeeds(self, model: CausalModel) -> None:
        assert model.memory.remove(0, 0, -1)
        evaluate(model, 0, some_tokens(3))
        assert model.memory.remove(0, 3, -1)
        assert model.memory.remove(0, 1, 1)
        assert model.memory.position_max(0) == 2

    def test_every_cell_can_be_used(self, model: CausalModel) -> None:
        self._fill(model)
        assert model.memory.remove(0, 0, -1)
        self._fill(model)

    def test_a_full_cache_changes_nothing(self, model: CausalModel) -> None:
        prompt = some_tokens(8, seed=1)
        evaluate(model, 1, prompt)
        model.compute.decode([Segment(0, 0, some_tokens(86), 0)])
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(1, 8, some_tokens(2), 1), Segment(2, 0, some_tokens(1), 1)])
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [85, 7, -1]
        continued = evaluate(model, 1, [65, 66])
        assert model.memory.remove(0, 0, -1)
        self.assert_same(continued, evaluate(model, 0, [*prompt, 65, 66]))

    def test_room_that_was_made_can_be_used(self, model: CausalModel) -> None:
        model.compute.decode([Segment(0, 0, some_tokens(90), 0)])
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(1, 0, some_tokens(7), 1)])
        assert model.memory.remove(0, 0, -1)
        model.compute.decode([Segment(1, 0, some_tokens(7), 1)])
        assert model.memory.position_max(1) == 6

    @pytest.mark.parametrize(
        "segments",
        [
            pytest.param([Segment(3, 0, [65], 1)], id="sequence too high"),
            pytest.param([Segment(-1, 0, [65], 1)], id="sequence negative"),
            pytest.param([Segment(0, 2, [65], 1), Segment(0, 3, [66], 1)], id="sequence twice"),
            pytest.param([Segment(0, 3, [65], 1)], id="gap in a sequence"),
            pytest.param([Segment(0, 1, [65], 1)], id="position taken"),
            pytest.param([Segment(1, 1, [65], 1)], id="empty sequence that does not begin at 0"),
            pytest.param([Segment(1, 0, [], 1)], id="no tokens"),
            pytest.param([Segment(0, 2, [65], 1), Segment(1, 0, [65, -1], 1)], id="token negative"),
            pytest.param([Segment(1, 0, [2**31 - 1], 1)], id="token too high"),
            pytest.param([Segment(1, 0, [65, 2**31 - 1], 1)], id="token too high among others"),
            pytest.param([Segment(1, 0, [65] * 100_000, 1)], id="more tokens than a batch holds"),
        ],
    )
    def test_a_wrong_segment_raises_and_changes_nothing(self, model: CausalModel, segments: list[Segment]) -> None:
        evaluate(model, 0, [65, 66])
        with pytest.raises(DecodeFailed):
            model.compute.decode(segments)
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [1, -1, -1]
        self.assert_same(evaluate(model, 0, [67]), evaluate(model, 1, [65, 66, 67]))

    def test_a_shift_closes_a_gap(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(20))
        evaluate(model, 1, some_tokens(20, seed=1))
        assert model.memory.remove(0, 4, 12)
        model.memory.shift(0, 12, 20, -8)
        assert [model.memory.position_max(seq_id) for seq_id in range(2)] == [11, 19]
        evaluate(model, 0, [65])
        assert model.memory.position_max(0) == 12
        # 96 cells hold 13 + 20 tokens now: the removed ones are free.
        model.compute.decode([Segment(2, 0, some_tokens(63), 0)])
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(0, 13, [65], 1)])

    def test_a_shifted_sequence_goes_on_as_if_it_had_been_written_there(self, model: CausalModel) -> None:
        if not self.shift_is_exact:
            pytest.skip("deeper layers keep what they saw of removed tokens")
        evaluate(model, 0, [*some_tokens(8, seed=1), 65, 66])
        assert model.memory.remove(0, 0, 8)
        model.memory.shift(0, 8, 10, -8)
        self.assert_same(evaluate(model, 0, [67]), evaluate(model, 1, [65, 66, 67]))

    def test_a_shift_onto_other_tokens_is_refused(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(10))
        with pytest.raises(ValueError):
            model.memory.shift(0, 5, 10, -2)
        assert model.memory.position_max(0) == 9

    def test_every_token_has_bytes_or_none(self, model: CausalModel) -> None:
        all_bytes = [model.vocabulary.token_bytes(token) for token in range(model.info.n_vocab)]
        assert all(isinstance(data, bytes) for data in all_bytes)
        assert any(all_bytes)

    def test_end_of_generation_tokens_that_are_control_tokens_have_no_bytes(self, model: CausalModel) -> None:
        assert b"" in {model.vocabulary.token_bytes(token) for token in model.info.eog_tokens}

    def test_a_grammar_allows_what_goes_on_in_it_and_the_end_when_it_is_complete(self, model: CausalModel) -> None:
        grammar = model.vocabulary.grammar('root ::= "yes" | "no" | ""')
        said = b""
        for letter in b"yes":
            assert all(grammar.allows(token) is (said in (b"", b"yes")) for token in model.info.eog_tokens)
            token = byte_token(model, letter)
            assert grammar.allows(token)
            assert not grammar.allows(byte_token(model, ord("x")))
            grammar.accept(token)
            said += bytes([letter])
        assert all(grammar.allows(token) for token in model.info.eog_tokens)
        assert not grammar.allows(byte_token(model, ord("y")))
        grammar.close()

    def test_a_grammars_mask_bans_exactly_what_it_does_not_allow(self, model: CausalModel) -> None:
        grammar = model.vocabulary.grammar('root ::= "yes" | "ye"')
        source = np.random.default_rng(0).normal(size=model.info.n_vocab).astype(np.float32)
        for letter in b"yes":
            masked = source.copy()
            grammar.mask(masked)
            allowed = np.array([grammar.allows(token) for token in range(model.info.n_vocab)])
            assert np.array_equal(masked, np.where(allowed, source, -np.inf))
            assert 0 < allowed.sum() < model.info.n_vocab
            grammar.accept(byte_token(model, letter))
        grammar.close()

    def test_a_mask_keeps_bans(self, model: CausalModel) -> None:
        grammar = model.vocabulary.grammar('root ::= "yes" | "no"')
        row = np.zeros(model.info.n_vocab, np.float32)
        banned = byte_token(model, ord("y"))
        row[banned] = -np.inf
        grammar.mask(row)
        assert row[banned] == -np.inf
        assert row[byte_token(model, ord("n"))] == 0
        grammar.close()

    def test_a_grammar_accepts_neither_the_end_nor_what_it_does_not_allow(self, model: CausalModel) -> None:
        grammar = model.vocabulary.grammar('root ::= "" | "no"')
        for token in (*model.info.eog_tokens, byte_token(model, ord("y"))):
            with pytest.raises(ValueError):
                grammar.accept(token)
        assert grammar.allows(byte_token(model, ord("n")))
        grammar.close()

    def test_grammars_of_the_same_text_are_apart(self, model: CausalModel) -> None:
        grammars = [model.vocabulary.grammar('root ::= "no"') for _ in range(2)]
        grammars[0].accept(byte_token(model, ord("n")))
        assert not grammars[0].allows(byte_token(model, ord("n")))
        assert grammars[1].allows(byte_token(model, ord("n")))
        grammars[0].close()
        grammars[0].close()
        assert grammars[1].allows(byte_token(model, ord("n")))
        grammars[1].close()

    @pytest.mark.parametrize("text", ["", 'root ::= "a', 'x ::= "a"', "root ::= " + "(" * 20_000])
    def test_a_grammar_that_cannot_be_used_is_refused(self, model: CausalModel, text: str) -> None:
        with pytest.raises(GrammarError):
            model.vocabulary.grammar(text)

    @staticmethod
    def _fill(model: CausalModel) -> None:
        """Use all cells, and find that there is none beyond."""
        n_cells = model.info.n_cells
        step = min(model.info.n_batch, n_cells - 1)
        for start in range(0, n_cells - 1, step):
            model.compute.decode([Segment(0, start, some_tokens(min(step, n_cells - 1 - start)), 0)])
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(0, n_cells - 1, some_tokens(2), 0)])
        model.compute.decode([Segment(0, n_cells - 1, some_tokens(1), 1)])
        assert model.memory.position_max(0) == n_cells - 1
        assert np.isfinite(model.compute.logits(0)).all()
