"""Earlier turns of a conversation, as a chat template wants to see them.

Turns are dictionaries, as templates see them: ``role``, ``content`` (text) and, if given, ``name``, ``tool_calls``,
``tool_call_id`` and ``reasoning_content``. Calls have the OpenAI shape, but arguments that are an object; ids may be
missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.call_ids import CallIdMap
from service.dialogue.chat_format import CallIds
from service.dialogue.writing import WrittenCall, textual, to_json, write_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.dialogue.chat_format import CallFormat, ChatFormat, HistoryFormat

Turn = dict[str, Any]


def adapted(turns: Sequence[Turn], form: ChatFormat) -> list[Turn]:
    """The turns as the template wants them; those without calls and results are left as they are.

    Args:
        turns: the conversation; not changed.
        form: of the model.
    """
    history = form.history
    adapted_turns = [_with_fitting_keys(turn, history) for turn in turns]
    if not any(turn.get("tool_calls") or turn["role"] == "tool" for turn in turns):
        return adapted_turns
    adapted_turns = list(_with_ids_and_names(adapted_turns, history.call_ids))
    if not history.renders_calls:
        adapted_turns = [_with_written_calls(turn, form.calls) for turn in adapted_turns]
    else:
        if not history.content_beside_calls:
            adapted_turns = [part for turn in adapted_turns for part in _content_apart(turn)]
        if not history.parallel:
            adapted_turns = list(_one_call_each(adapted_turns))
        adapted_turns = [_with_fitting_calls(turn, history) for turn in adapted_turns]
    return adapted_turns if history.knows_tool_role else list(_with_results_as_users(adapted_turns))


def _with_fitting_keys(turn: Turn, history: HistoryFormat) -> Turn:
    """A turn with a role that the template knows, and reasoning under the key at which it looks."""
    if turn["role"] == "developer" and not history.knows_developer:
        turn = {**turn, "role": "system"}
    if "reasoning_content" in turn and history.reasoning_key != "reasoning_content":
        turn = {**_without(turn, "reasoning_content"), history.reasoning_key: turn["reasoning_content"]}
    return turn


def _without(turn: Turn, left_out: str) -> Turn:
    return {key: value for key, value in turn.items() if key != left_out}


def _content_apart(turn: Turn) -> list[Turn]:
    """A turn, or two: one with the content, one with the calls."""
    if not turn.get("tool_calls") or not turn["content"]:
        return [turn]
    return [_without(turn, "tool_calls"), {"role": turn["role"], "content": "", "tool_calls": turn["tool_calls"]}]


def _with_ids_and_names(turns: Sequence[Turn], kind: CallIds) -> Iterator[Turn]:
    """The turns with ids that the template accepts, and with names of the tools whose results they are."""
    ids, names = CallIdMap(kind), dict[str, str]()
    for turn in turns:
        if turn.get("tool_calls"):
            calls = []
            for call in turn["tool_calls"]:
                name, given = call["function"]["name"], call.get("id", "")
                names[given] = name
                mapped = ids.of_call(given, name)
                # An id is made up only for templates that look at it.
                calls.append({**call, "id": mapped} if given or kind is not CallIds.ANY else call)
            yield {**turn, "tool_calls": calls}
        elif turn["role"] == "tool" and turn.get("tool_call_id"):
            given = turn["tool_call_id"]
            name = {} if turn.get("name") or not names.get(given) else {"name": names[given]}
            yield {**turn, "tool_call_id": ids.of_result(given), **name}
        else:
            yield turn


def _with_written_calls(turn: Turn, form: CallFormat) -> Turn:
    """A turn with its calls as part of its content."""
    if not turn.get("tool_calls"):
        return turn
    written = write_calls(
        [
            WrittenCall(call["function"]["name"], call["function"]["arguments"], call.get("id", ""))
            for call in turn["tool_calls"]
        ],
        textual(form),
    )
    content = turn["content"].rstrip()
    return {**_without(turn, "tool_calls"), "content": f"{content}\n{written}" if content else written}


def _with_fitting_calls(turn: Turn, history: HistoryFormat) -> Turn:
    """A turn with arguments and content of the kinds that the template wants where there are calls."""
    if not turn.get("tool_calls"):
        return turn
    content = turn["content"] or (None if history.null_content else "")
    if not history.arguments_as_text:
        return {**turn, "content": content}
    calls = [
        {**call, "function": {**call["function"], "arguments": to_json(call["function"]["arguments"])}}
        for call in turn["tool_calls"]
    ]
    return {**turn, "content": content, "tool_calls": calls}


def _one_call_each(turns: Sequence[Turn]) -> Iterator[Turn]:
    """The turns with one call in each, followed by its result."""
    waiting = list(turns)
    while waiting:
        turn = waiting.pop(0)
        if len(turn.get("tool_calls") or ()) < 2:
            yield turn
            continue
        results = []
        while waiting and waiting[0]["role"] == "tool":
            results.append(waiting.pop(0))
        for index, call in enumerate(turn["tool_calls"]):
            first = turn if index == 0 else {"role": turn["role"], "content": ""}
            yield {**first, "tool_calls": [call]}
            yield from (result for result in results if _answers(result, call))
        yield from (result for result in results if not any(_answers(result, call) for call in turn["tool_calls"]))


def _answers(result: Turn, call: dict[str, Any]) -> bool:
    return bool(call.get("id")) and result.get("tool_call_id") == call["id"]


def _with_results_as_users(turns: Sequence[Turn]) -> Iterator[Turn]:
    """The turns with results of tools as user's turns, those that follow each other in one."""
    together: list[str] = []
    for turn in turns:
        if turn["role"] == "tool":
            together.append(f"<tool_response>\n{turn['content']}\n</tool_response>")
            continue
        if together:
            yield {"role": "user", "content": "\n".join(together)}
            together = []
        yield turn
    if together:
        yield {"role": "user", "content": "\n".join(together)}
