"""Chooses a request's tokens."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

# numpy itself imports this only when it is used first: a request must not fail for want of a file descriptor.
from numpy.random import default_rng

from service.sampling.adaptive import AdaptiveP
from service.sampling.bias import LogitBias
from service.sampling.candidates import Candidates
from service.sampling.chain import build_chain
from service.sampling.dry import repeated_sequences
from service.sampling.mirostat import Mirostat
from service.sampling.penalties import PenaltyWindow
from service.sampling.report import Ranking, rank_logprobs, rank_probabilities
from service.sampling.settings import SamplerName
from service.sampling.short_chain import short_chain
from service.sampling.temperature import temperature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.sampling.grammar import Grammar
    from service.sampling.settings import SamplingSettings

#: The REST API writes "choose a seed for me" as 2^32 - 1, so that value is never chosen.
_RANDOM_SEEDS = 2**32 - 1


class UnusableLogits(ValueError):
    """No token can be chosen from a row of logits. The request has to end; others are not concerned."""


@dataclass(frozen=True, slots=True)
class SampledToken:
    """One chosen token.

    Attributes:
        id: vocabulary id.
        probabilities: (id, probability after the samplers), highest first; ``n_probs`` entries, 0 for tokens that
            the samplers dropped. Greedy requests get the softmax after bias and penalties.
        logprob: log-softmax of the raw logits for this token; None unless ``top_logprobs`` was set.
        top_logprobs: (id, log-softmax of the raw logits), highest first; ``top_logprobs`` entries.
        probability: of this token among those that the samplers left; None unless ``n_probs`` is above 0, or if they
            left none.
    """

    id: int
    probabilities: Ranking = ()
    logprob: float | None = None
    top_logprobs: Ranking = ()
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A token, the candidates that it was drawn from, None if there were none, and what is learnt: its probability."""

    token: int
    survivors: Candidates | None
    probability: float | None = None


class Sampler:
    """The sampling state of one request: random generator, penalty window, Mirostat's limit, grammar.

    Args:
        settings: what the request asks for, validated.
        n_vocab: tokens in the vocabulary.
        nl_token: the newline token, or -1.
        eog_tokens: end-of-generation tokens.
        n_ctx: tokens of context in the request's slot; the length of the penalty window for ``repeat_last_n`` -1.
        prompt: the prompt's tokens; the penalty history unless ``settings.penalty_prompt`` replaces it.
        grammar: what limits the output, None for nothing; the caller closes it.

    Attributes:
        seed: the seed in use, chosen at random if the settings have none; 0 to 2^32 - 1.
        random: makes the random numbers, one for each draw.
        penalties: the penalty window, None without one.
        dry: the window in which repeated sequences are looked for, None without one.
        short_chain: the chain, if it is one of those that several rows go through at once.
        is_plain: whether a choice's token is all that is needed: there is no grammar or report, and nothing is learnt.
    """

    __slots__ = (
        "_adaptive",
        "_bias",
        "_chain",
        "_eog_tokens",
        "_grammar",
        "_mirostat",
        "_settings",
        "dry",
        "is_plain",
        "penalties",
        "random",
        "seed",
        "short_chain",
    )

    def __init__(
        self,
        settings: SamplingSettings,
        *,
        n_vocab: int,
        nl_token: int,
        eog_tokens: frozenset[int],
        n_ctx: int,
        prompt: Sequence[int],
        grammar: Grammar | None = None,
    ) -> None:
        self._settings = settings
        self.seed = secrets.randbelow(_RANDOM_SEEDS) if settings.seed is None else settings.seed
        self.random = default_rng(self.seed)
        self._bias = LogitBias(settings.logit_bias, eog_tokens=eog_tokens, ignore_eog=settings.ignore_eos)
        self.penalties = _penalties(settings, n_vocab=n_vocab, nl_token=nl_token, n_ctx=n_ctx, prompt=prompt)
        self.dry = repeated_sequences(settings, n_ctx=n_ctx, prompt=prompt)
        self._mirostat = _mirostat(settings, n_vocab=n_vocab)
        self._adaptive = _adaptive(settings)
        self._chain = build_chain(settings, self.seed)
        self.short_chain = short_chain(settings, n_vocab)
        self._eog_tokens = eog_tokens
        self._grammar = grammar
        learns = self._mirostat is not None or self._adaptive is not None
        self.is_plain = grammar is None and not learns and not settings.n_probs and settings.top_logprobs is None

    @property
    def mirostat_limit(self) -> float | None:
        """The largest surprise that Mirostat allows now, in bits (mu); None without Mirostat."""
        return None if self._mirostat is None else self._mirostat.limit

    def sample(self, logits: npt.NDArray[np.float32], *, ban_eog: bool = False) -> SampledToken:
        """Choose a token. It does not enter the penalty window, nor the grammar, before ``accept``.

        If the grammar rejects the token, another one is chosen among those that it allows. So a grammar changes nothing
        about the distribution as long as the model keeps to it, and rarely has to look at all tokens.

        A row in which every token is banned ends the text: the lowest end-of-generation token is chosen, even
        against ``ban_eog`` and the grammar.

        Args:
            logits: shape (n_vocab,), float32, writable; changed in place.
            ban_eog: no end-of-generation token this time.

        Raises:
            UnusableLogits: a logit is NaN or +inf, or every token is banned and none ends the text.
        """
        # Banned tokens make -inf - -inf, log 0 and overflow ordinary here; each place says what it makes of them.
        with np.errstate(all="ignore"):
            # 1. Bias and bans.
            raw = self.prepare(logits, ban_eog=ban_eog)
            # 2. Penalties.
            if self.penalties is not None:
                self.penalties.apply(logits)
            if self.dry is not None:
                self.dry.apply(logits)
            # 3. Choose.
            choice = self.choose(logits)
            # 4. The grammar, what is learnt, what is reported.
            return SampledToken(choice.token) if self.is_plain else self.finish(logits, choice, raw)

    def prepare(self, logits: npt.NDArray[np.float32], *, ban_eog: bool) -> npt.NDArray[np.float32] | None:
        """Add biases and bans in place; return a copy of the row before, if log-probabilities of it are wanted.

        Raises:
            UnusableLogits: they are wanted, and a logit is NaN or +inf, which a penalty would hide.
        """
        raw = None
        if self._settings.top_logprobs is not None:
            best = int(logits.argmax())
            if not logits[best] < math.inf:
                raise _unusable(best, float(logits[best]))
            raw = logits.copy()
        self._bias.apply(logits, ban_eog=ban_eog)
        return raw

    def accept(self, token: int) -> None:
        """Add a generated token to the windows, and go on in the grammar; it must be the last one sampled."""
        if self.penalties is not None:
            self.penalties.accept(token)
        if self.dry is not None:
            self.dry.accept(token)
        if self._grammar is not None and token not in self._eog_tokens:
            self._grammar.accept(token)

    def choose(self, logits: npt.NDArray[np.float32]) -> Choice:
        """Choose from a row by one of the ways: nothing left, greedy, Mirostat or the chain. Changes no logits.

        Raises:
            UnusableLogits: as ``sample`` does.
        """
        # argmax stops at the first NaN, so this checks the row too.
        best = int(logits.argmax())
        best_logit = float(logits[best])
        if not best_logit < math.inf:
            raise _unusable(best, best_logit)
        if best_logit == -math.inf:
            return Choice(self._end(), None)
        candidates = Candidates.whole(logits)
        if self._settings.temperature <= 0:
            return Choice(best, candidates)
        if self._mirostat is None:
            for step in self._chain:
                candidates = step(candidates)
            if self._adaptive is None:
                return Choice(candidates.draw(self.random)[0], candidates)
            adapted = self._adaptive.transform(candidates)
            token, _ = adapted.draw(self.random)
            return Choice(token, adapted, candidates.probability(token))
        survivors = self._mirostat.truncate(temperature(candidates, self._settings.temperature))
        token, probability = survivors.draw(self.random)
        return Choice(token, survivors, probability)

    def finish(
        self, logits: npt.NDArray[np.float32], choice: Choice, raw: npt.NDArray[np.float32] | None
    ) -> SampledToken:
        """Make a token of a choice.

        Args:
            logits: what it was chosen from.
            choice: may be replaced, if there is a grammar.
            raw: what ``prepare`` returned.
        """
        # Choose again if the grammar rejects it; a row without tokens has no use for it.
        if self._grammar is not None and choice.survivors is not None and not self._grammar.allows(choice.token):
            self._grammar.mask(logits)
            choice = self.choose(logits)
        # Learn from the draw, once the token is final.
        learner = self._mirostat or self._adaptive
        if learner is not None and choice.probability is not None:
            learner.observe(choice.probability)
        token = choice.token
        n_probs, top_logprobs = self._settings.n_probs, self._settings.top_logprobs
        probabilities: Ranking = ()
        probability = None
        if n_probs:
            probabilities = rank_probabilities(choice.survivors, logits, n_probs)
            probability = None if choice.survivors is None else choice.survivors.probability(token)
        logprobs: tuple[float | None, Ranking] = (None, ())
        if raw is not None and top_logprobs is not None:
            logprobs = rank_logprobs(raw, token, top_logprobs)
        return SampledToken(token, probabilities, *logprobs, probability=probability)

    def _end(self) -> int:
        if not self._eog_tokens:
            raise UnusableLogits("every token is banned, and the model has no end-of-generation token to stop with")
        return min(self._eog_tokens)


def _unusable(token: int, logit: float) -> UnusableLogits:
    return UnusableLogits(f"the logit of token {token} is {logit}; allowed: finite, or -inf for a ban")


def _penalties(
    settings: SamplingSettings, *, n_vocab: int, nl_token: int, n_ctx: int, prompt: Sequence[int]
) -> PenaltyWindow | None:
    length = n_ctx if settings.repeat_last_n < 0 else settings.repeat_last_n
    penalises = any(map(settings.is_on, ("repeat_penalty", "frequency_penalty", "presence_penalty")))
    if not length or not penalises:
        return None
    return PenaltyWindow(
        prompt if settings.penalty_prompt is None else settings.penalty_prompt,
        length=length,
        n_vocab=n_vocab,
        repeat=settings.repeat_penalty,
        frequency=settings.frequency_penalty,
        presence=settings.presence_penalty,
        exempt=None if settings.penalize_nl else nl_token,
    )


def _adaptive(settings: SamplingSettings) -> AdaptiveP | None:
    if SamplerName.ADAPTIVE_P not in settings.chain or not settings.acts(SamplerName.ADAPTIVE_P):
        return None
    return AdaptiveP(settings.adaptive_target, settings.adaptive_decay)


def _mirostat(settings: SamplingSettings, *, n_vocab: int) -> Mirostat | None:
    if settings.mirostat not in (1, 2):
        return None
    return Mirostat(
        settings.mirostat, target=settings.mirostat_tau, learning_rate=settings.mirostat_eta, n_vocab=n_vocab
    )
