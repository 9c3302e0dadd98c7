"""Runs the engine under virtual time: clients come, wait, read, think, return or go away."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.simulation.arrivals import Arrivals, ClosedLoop
from bench.simulation.model import SimulatedModel
from bench.simulation.visits import End, Journal, Visit
from bench.simulation.workload import Conversation, Kind, Turn, Workload
from service.engine.engine import Engine
from service.engine.request.requests import GenerationRequest
from service.engine.schedule.retries import RetryTimes
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.simulation.profile import CostProfile
    from service.config import EngineConfig
    from service.engine.request.snapshots import Counters

#: Clients of an open loop take turns.
N_CLIENTS = 64
#: So many steps without time or output passing mean that nothing will ever happen again.
MAX_IDLE_STEPS = 1000

_GREEDY = SamplingSettings(temperature=0.0, repeat_penalty=1.0, seed=0)


@dataclass(frozen=True, slots=True)
class Server:
    """What is simulated: slots and limits, and the cells that all slots share."""

    config: EngineConfig
    n_cells: int
    profile: CostProfile


@dataclass(frozen=True, slots=True)
class Traffic:
    """What it has to do.

    Attributes:
        mix: kinds of conversations.
        arrivals: when they begin.
        n_requests: after so many nobody asks any more; all get their answers.
        seed: of everything that is drawn.
    """

    mix: tuple[Kind, ...]
    arrivals: Arrivals | ClosedLoop
    n_requests: int
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What happened.

    Attributes:
        visits: all requests, in order of arrival.
        journal: what they wrote.
        counters: the engine's totals.
        busy_slot_s: slots in use, integrated over time.
        longest_queue: most requests that waited for a slot at a time.
        virtual_s, real_s: how long it took in virtual time, and how long it took to simulate.
    """

    visits: list[Visit]
    journal: Journal
    counters: Counters
    busy_slot_s: float
    longest_queue: int
    virtual_s: float
    real_s: float


def simulate(server: Server, traffic: Traffic) -> SimulationResult:
    """Run until every request is over.

    Raises:
        BenchError: the engine does nothing though it has work.
    """
    return _Simulation(server, traffic).run()


@dataclass(order=True, slots=True)
class _Appointment:
    """Something that a client will do; among those of the same moment the order is that of making them."""

    at_s: float
    number: int
    action: Callable[[], None] = field(compare=False)


class _Simulation:
    def __init__(self, server: Server, traffic: Traffic) -> None:
        self._traffic = traffic
        self._config = server.config
        self._clock = VirtualClock()
        # One sequence more than there are slots, for the system prompt that the engine may have.
        self._model = SimulatedModel(server.n_cells, server.config.n_slots + 1, server.profile, self._clock)
        self._engine = Engine(self._model, server.config, self._clock)
        self._workload = Workload(traffic.mix, traffic.seed, min(server.config.n_ctx_slot, server.n_cells))
        self._journal = Journal(self._clock)
        self._retries = RetryTimes(server.config.n_slots)
        self._visits: list[Visit] = []
        self._appointments: list[_Appointment] = []
        self._n_appointments = itertools.count()
        # When the client that acts now wanted to; the clock may be a step ahead.
        self._now_s = 0.0
        self._n_in_engine = 0
        self._busy_slot_s = 0.0
        self._longest_queue = 0
        self._n_idle_steps = 0

    def run(self) -> SimulationResult:
        started_s = time.perf_counter()
        self._open()
        while self._appointments or self._engine.has_work:
            self._keep_appointments()
            if self._engine.has_work:
                self._step()
            elif self._appointments:
                self._clock.now_s = self._appointments[0].at_s
        return SimulationResult(
            self._visits,
            self._journal,
            self._engine.snapshot().counters,
            self._busy_slot_s,
            self._longest_queue,
            self._clock.now_s,
            time.perf_counter() - started_s,
        )

    def _step(self) -> None:
        before_s, n_busy = self._clock.now_s, self._n_in_engine - self._engine.queue_depth
        self._longest_queue = max(self._longest_queue, self._engine.queue_depth)
        deliveries = self._engine.step()
        # In a step that admits more the slots are busy from its beginning.
        n_busy = max(n_busy, self._n_in_engine - self._engine.queue_depth)
        self._busy_slot_s += n_busy * (self._clock.now_s - before_s)
        for sink, events in deliveries:
            sink.put(events)
        self._n_idle_steps = 0 if deliveries or self._clock.now_s > before_s else self._n_idle_steps + 1
        if self._n_idle_steps > MAX_IDLE_STEPS:
            raise BenchError(
                f"after {len(self._visits)} requests the engine has work, but did nothing in {MAX_IDLE_STEPS} steps: "
                f"{self._engine.queue_depth} of {self._n_in_engine} requests wait"
            )

    # Clients --------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        rng = random.Random(f"arrivals {self._traffic.seed}")
        arrivals = self._traffic.arrivals
        if isinstance(arrivals, ClosedLoop):
            for user in range(arrivals.n_users):
                self._at(0.0, partial(self._begin, user))
        else:
            self._expect(arrivals.times(rng), itertools.cycle(range(N_CLIENTS)))

    def _expect(self, times: Iterator[float], clients: Iterator[int]) -> None:
        """Open loop: after each arrival comes the next one."""

        def arrive() -> None:
            self._begin(next(clients))
            expect()

        def expect() -> None:
            if not self._is_closed and (at_s := next(times, None)) is not None:
                self._at(at_s, arrive)

        expect()

    @property
    def _is_closed(self) -> bool:
        return len(self._visits) >= self._traffic.n_requests

    def _begin(self, client: int) -> None:
        conversation = self._workload.begin(client)
        self._ask(conversation, self._workload.turn(conversation))

    def _ask(self, conversation: Conversation, turn: Turn) -> None:
        if self._is_closed:
            return
        number = len(self._visits)
        arrived_s = self._now_s
        visit = Visit(
            self._journal,
            partial(self._end, number, conversation, turn),
            conversation.client,
            conversation.kind.name,
            len(turn.prompt),
            turn.n_answer,
            arrived_s,
        )
        self._visits.append(visit)
        self._n_in_engine += 1
        if self._is_full():
            visit.close(End.REFUSED)
            return
        request = GenerationRequest(
            turn.prompt, sampling=_GREEDY, max_tokens=turn.n_answer, priority=conversation.kind.priority
        )
        self._engine.submit(number, request, visit, arrived_s)
        if turn.patience_s is not None:
            self._at(arrived_s + turn.patience_s, partial(self._leave, number))

    def _leave(self, number: int) -> None:
        visit = self._visits[number]
        if visit.end is None:
            self._engine.cancel(number)
            visit.close(End.LEFT)

    def _end(self, number: int, conversation: Conversation, turn: Turn) -> None:
        self._n_in_engine -= 1
        visit = self._visits[number]
        if visit.end is End.ANSWERED and conversation.turns_left:
            answer = self._model.answer(visit.n_prompt, visit.n_tokens)
            conversation.history = (*turn.prompt, *answer)
            self._at(self._clock.now_s + turn.think_s, partial(self._go_on, conversation))
        elif isinstance(self._traffic.arrivals, ClosedLoop):
            wait_s = self._retry_s() if visit.end is End.REFUSED else turn.think_s
            self._at(self._clock.now_s + wait_s, partial(self._begin, conversation.client))

    def _go_on(self, conversation: Conversation) -> None:
        self._ask(conversation, self._workload.turn(conversation))

    # The rules of ``EngineThread`` ------------------------------------------------------------------------------------

    def _is_full(self) -> bool:
        """Whether a request is refused; it counts as present already."""
        waiting = self._engine.queue_depth
        idle = self._config.n_slots - (self._n_in_engine - 1 - waiting)
        return waiting >= self._config.max_queue + idle

    def _retry_s(self) -> float:
        """When a refused client is advised to come back."""
        n_answered = self._journal.n_answered
        held_s = self._journal.held_s / n_answered if n_answered else 0.0
        return self._retries.next_s(self._clock.now_s, held_s, self._engine.queue_depth)

    # Time -----------------------------------------------------------------------------------------------------------

    def _at(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._appointments, _Appointment(at_s, next(self._n_appointments), action))

    def _keep_appointments(self) -> None:
        """Let clients do what they wanted to do before now; a step lets nobody in, so that may be late."""
        while self._appointments and self._appointments[0].at_s <= self._clock.now_s:
            appointment = heapq.heappop(self._appointments)
            self._now_s = appointment.at_s
            appointment.action()
