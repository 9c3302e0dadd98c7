"""Output whose parts are told apart: content, reasoning and tool calls."""

from __future__ import annotations

import codecs
from collections import deque
from typing import TYPE_CHECKING

from service.dialogue.output import CallPart, Channel, TextPart
from service.engine.request.events import Piece, TokenRecord, ToolDelta

if TYPE_CHECKING:
    from service.dialogue.output import Part
    from service.engine.output.text import TextOutput
    from service.engine.request.requests import OutputParsing

Output = Piece | ToolDelta


class ParsedOutput:
    """The output of one sequence, fed token by token.

    Stop texts are looked for in content only, and never across anything else. Records of tokens come with the text
    that these tokens ended up in; those of markers and of calls are dropped.

    Args:
        parsing: how the parts are told apart.
        text: finds stop texts in content; nothing else may feed it.
        index: number of the sequence.

    Attributes:
        parser: the parser.
        forced: tokens that come next, whatever the model says; whoever uses one takes it away.
        n_reasoning: tokens that came while the output was in reasoning.
    """

    def __init__(self, parsing: OutputParsing, text: TextOutput, index: int) -> None:
        self.parser = parsing.make_parser()
        self.forced: deque[int] = deque()
        self.n_reasoning = 0
        self._names = parsing.names
        self._budget = parsing.budget
        self._text = text
        self._index = index
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        #: Records of tokens whose text is not sent yet.
        self._records: list[TokenRecord] = []
        #: The record of the newest token, until it is sent or dropped.
        self._newest: TokenRecord | None = None
        #: Whether a marker or a call is the last thing that was told.
        self._is_behind_mark = False
        self._has_closed = self._is_over = False
        self._limit_reasoning()

    def push(
        self, token: int, token_bytes: bytes, record: TokenRecord | None, *, is_eos: bool
    ) -> tuple[list[Output], bytes | None]:
        """Take a token.

        Args:
            token: its id.
            token_bytes: its bytes, empty for control tokens and those that end the sequence.
            record: its record, if it is wanted.
            is_eos: whether it is an end-of-generation token.

        Returns:
            The new output, and the stop text that was found, None without one.
        """
        if self.parser.is_reasoning and not is_eos:
            self.n_reasoning += 1
        self._newest = record
        data = token_bytes if is_eos else self._names.get(token, token_bytes)
        output, stop_text = self._tell(self.parser.push(self._decoder.decode(data)))
        # Blanks may belong to a marker that comes next, but a stop text is found when it is complete.
        blanks = self.parser.blanks if stop_text is None and self._text.has_stop_texts else ""
        if blanks and self._text.would_stop(blanks.encode()):
            rest, stop_text = self._tell([TextPart(Channel.CONTENT, blanks)])
            output += rest
        self._limit_reasoning()
        return output, stop_text

    def end(self) -> tuple[list[Output], bytes | None]:
        """The sequence is over: what was held back, and the stop text that was found in it. Nothing the second time."""
        if self._is_over:
            return [], None
        self._newest = None
        rest = self.parser.push(self._decoder.decode(b"", final=True))
        output, stop_text = self._tell([*rest, *self.parser.finish()])
        if stop_text is None:
            output += self._flushed()
        if self._records and not self._is_behind_mark:
            channel = Channel.REASONING if self.parser.is_reasoning else Channel.CONTENT
            output.append(Piece("", tuple(self._records), self._index, channel))
        self._is_over = True
        return output, stop_text

    def _tell(self, parts: list[Part]) -> tuple[list[Output], bytes | None]:
        output: list[Output] = []
        for part in parts:
            self._is_behind_mark = not isinstance(part, TextPart)
            if isinstance(part, TextPart) and part.channel is Channel.CONTENT:
                step = self._text.push(part.text.encode())
                if step.text:
                    output.append(Piece(step.text, self._take_records(), self._index, Channel.CONTENT))
                if step.stop_text is not None:
                    self._is_over = True
                    return output, step.stop_text
                continue
            output += self._flushed()
            if isinstance(part, TextPart):
                output.append(Piece(part.text, self._take_records(), self._index, part.channel))
            else:
                self._records.clear()
                if isinstance(part, CallPart):
                    output.append(ToolDelta(part.call, part.id, part.name, part.arguments, self._index))
        if self._newest is not None and (not parts or isinstance(parts[-1], TextPart)):
            self._records.append(self._newest)
        self._newest = None
        return output, None

    def _flushed(self) -> list[Output]:
        """Content that was held back because it might have become a stop text."""
        text = self._text.flush()
        if not text:
            return []
        piece = Piece(text, tuple(self._records), self._index, Channel.CONTENT)
        self._records.clear()
        return [piece]

    def _take_records(self) -> tuple[TokenRecord, ...]:
        newest, self._newest = self._newest, None
        records = (*self._records, newest) if newest is not None else tuple(self._records)
        self._records.clear()
        return records

    def _limit_reasoning(self) -> None:
        """Force the end of reasoning once its budget is used up, between two characters."""
        if not self.parser.is_reasoning:
            self._has_closed = False
        elif (
            self._budget is not None
            and not self._has_closed
            and self.n_reasoning >= self._budget.n_tokens
            and not self._decoder.getstate()[0]
        ):
            self._has_closed = True
            self.forced.extend(self._budget.closing)
