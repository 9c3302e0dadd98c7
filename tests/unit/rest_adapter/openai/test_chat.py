from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.openai.chat.request import ChatCall, read_chat
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE
from slotline.v1.sampling_pb2 import LogitBias
from tests.support.properties import untimed

USER = [{"role": "user", "content": "Hi"}]
BEGUN = [*USER, {"role": "assistant", "content": "Once upon "}]


def read(**body: object) -> ChatCall:
    return read_chat({"messages": USER, **body})


def test_defaults() -> None:
    call = read()
    sampling = call.request.sampling
    assert (sampling.temperature, sampling.top_p) == (1.0, 1.0)
    set_fields = {field.name for field, _ in sampling.ListFields()}
    assert set_fields == {"temperature", "top_p", "penalty_prompt"}
    # Penalties look at the answer only, unless the client says otherwise.
    assert sampling.penalty_prompt.WhichOneof("source") == "token_ids"
    assert not sampling.penalty_prompt.token_ids.ids
    assert call.request.overflow == OVERFLOW_REFUSE
    assert list(call.request.stop.texts) == ["<|im_end|>"]
    assert not call.request.stop.HasField("max_tokens")
    assert not call.request.HasField("num_sequences")
    assert (call.model, call.is_stream, call.includes_usage, call.wants_logprobs, call.n_choices, call.timeout_s) == (
        "",
        False,
        False,
        False,
        1,
        None,
    )


def test_null_asks_for_the_prompt_as_the_base_of_penalties() -> None:
    assert not read(penalty_prompt=None).request.sampling.HasField("penalty_prompt")


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        (USER, [("user", "Hi")]),
        ([{"role": "system", "content": "S"}, *USER], [("system", "S"), ("user", "Hi")]),
        ([{"role": "assistant", "content": None}], [("assistant", "")]),
        ([{"role": "assistant"}], [("assistant", "")]),
        ([{"role": "tool"}], [("tool", "")]),
        ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}], [("assistant", "No.")]),
        ([{"role": "assistant", "content": None, "refusal": "No."}], [("assistant", "No.")]),
        ([{"role": "assistant", "content": "Yes.", "refusal": None}], [("assistant", "Yes.")]),
        ([{"role": "user", "content": ""}], [("user", "")]),
        ([{"role": "user", "content": []}], [("user", "")]),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], [("user", "a")]),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            [("user", "ab")],
        ),
        ([{"role": "user", "content": ["a", "b"]}], [("user", "ab")]),
    ],
)
def test_messages(messages: list[object], turns: list[tuple[str, str]]) -> None:
    chat = read_chat({"messages": messages}).request.chat
    assert [(turn.role, "".join(part.text for part in turn.content)) for turn in chat.messages] == turns


def test_names_and_tool_turns_reach_the_template() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat = read_chat(
        {
            "messages": [
                {"role": "user", "content": "x", "name": "Ann"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "y", "tool_call_id": "c1"},
            ]
        }
    ).request.chat
    assert chat.messages[0].name == "Ann"
    assert chat.messages[1].tool_calls_json == (
        '[{"function":{"arguments":"{}","name":"f"},"id":"c1","type":"function"}]'
    )
    assert chat.messages[2].tool_call_id == "c1"


@pytest.mark.parametrize("value", [None, False])
def test_a_last_message_of_the_assistant_is_not_continued_unless_asked_for(value: object) -> None:
    request = read(messages=BEGUN, continue_final_message=value).request
    assert not request.chat.continue_final_message
    assert not request.sampling.penalty_prompt.token_ids.ids


@pytest.mark.parametrize(("n", "sequences"), [(None, 0), (3, 3)])
def test_the_last_message_is_continued_in_each_choice(n: object, sequences: int) -> None:
    request = read(messages=BEGUN, continue_final_message=True, n=n).request
    assert request.chat.continue_final_message
    assert request.num_sequences == sequences


def test_penalties_look_at_the_text_that_is_continued() -> None:
    in_parts = {"role": "assistant", "content": ["Once ", {"type": "text", "text": "upon "}]}
    for messages in (BEGUN, [*USER, in_parts]):
        request = read(messages=messages, continue_final_message=True).request
        assert request.sampling.penalty_prompt.text == "Once upon "
    request = read(messages=BEGUN, continue_final_message=True, penalty_prompt="x").request
    assert request.sampling.penalty_prompt.text == "x"
    request = read(messages=BEGUN, continue_final_message=True, penalty_prompt=None).request
    assert not request.sampling.HasField("penalty_prompt")


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ({"role": "user", "content": "x"}, 'true needs a last message of the assistant; its role is "user"'),
        ({"role": "assistant", "content": ""}, "true needs a text to continue; the last message has none"),
        ({"role": "assistant", "content": [""]}, "true needs a text to continue; the last message has none"),
        ({"role": "assistant"}, "true needs a text to continue; the last message has none"),
        (
            {"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]},
            "true is not allowed with tool calls in the last message",
        ),
    ],
)
def test_another_last_message_cannot_be_continued(last: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(messages=[*USER, last], continue_final_message=True)
    assert caught.value.message == f"continue_final_message: {reason}"


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (None, "messages"),
        ("Hi", "messages"),
        ({}, "messages"),
        ([], "messages"),
        (["Hi"], "messages[0]"),
        ([None], "messages[0]"),
        ([*USER, 5], "messages[1]"),
        ([{"role": 5}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": {}}], "messages[0].content"),
        ([{"role": "user", "content": True}], "messages[0].content"),
        ([{"role": "user", "content": [5]}], "messages[0].content[0]"),
        ([{"role": "user", "content": ["a", {"type": "image_url"}]}], "messages[0].content[1].type"),
        ([{"role": "user", "content": ["a", {"type": "input_audio"}]}], "messages[0].content[1].type"),
        ([{"role": "user", "content": ["a", {"text": "b"}]}], "messages[0].content[1].type"),
        ([{"role": "user", "content": [{"type": "refusal", "refusal": "No."}]}], "messages[0].content[0].type"),
        ([{"role": "assistant", "content": [{"type": "refusal"}]}], "messages[0].content[0].refusal"),
        ([{"role": "assistant", "refusal": 5}], "messages[0].refusal"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": None, "content": "x"}], "messages[0].role"),
        ([{"role": "", "content": "x"}], "messages[0].role"),
        ([*USER, {"content": "x"}], "messages[1].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "text": "Hi"}], "messages[0].content"),
        ([{"role": "system", "content": None}], "messages[0].content"),
        ([{"role": "developer"}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": "x", "name": 5}], "messages[0].name"),
        ([{"role": "tool", "tool_call_id": 5}], "messages[0].tool_call_id"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
        ([{"role": "assistant", "function_call": {"name": "f"}}], "messages[0].function_call"),
        ([*USER, {"role": "assistant", "audio": {"id": "a"}}], "messages[1].audio"),
    ],
)
def test_other_messages_are_refused(messages: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat({"messages": messages})
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"max_tokens": 8}, 8),
        ({"max_completion_tokens": 8}, 8),
        ({"max_tokens": 8, "max_completion_tokens": 9}, 9),
        ({"max_tokens": 8, "n_predict": 9}, 8),
        ({"n_predict": 9}, 9),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": 8.7}, 8),
        ({"max_tokens": -1}, None),
        ({"max_tokens": -1, "n_predict": 9}, None),
        ({"max_tokens": None, "n_predict": 9}, 9),
        ({}, None),
    ],
)
def test_token_limit(body: dict[str, object], limit: int | None) -> None:
    stop = read(**body).request.stop
    assert (stop.max_tokens if stop.HasField("max_tokens") else None) == limit


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"temperature": 0}, "temperature", 0.0),
        ({"temperature": None}, "temperature", 1.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_k": 3}, "top_k", 3),
        ({"min_p": 0.25}, "min_p", 0.25),
        ({"repeat_penalty": 1.0}, "repeat_penalty", 1.0),
        ({"frequency_penalty": 0.5}, "frequency_penalty", 0.5),
        ({"presence_penalty": -0.5}, "presence_penalty", -0.5),
        ({"mirostat": 2}, "mirostat", 2),
        ({"seed": 42}, "seed", 42),
        ({"ignore_eos": True}, "ignore_eos", True),
        ({"penalize_nl": False}, "penalize_nl", False),
    ],
)
def test_native_options_work_in_chats(body: dict[str, object], field: str, value: object) -> None:
    assert getattr(read(**body).request.sampling, field) == value


@pytest.mark.parametrize("value", ["P", {"prompt": "P"}, 5])
def test_a_system_prompt_of_all_slots_is_left_out(value: object) -> None:
    assert not read(system_prompt=value).request.HasField("system_prompt")


@pytest.mark.parametrize(
    ("stop", "texts"),
    [
        (None, ["<|im_end|>"]),
        ("x", ["x", "<|im_end|>"]),
        (["x", "y"], ["x", "y", "<|im_end|>"]),
        ([], ["<|im_end|>"]),
    ],
)
def test_stop(stop: object, texts: list[str]) -> None:
    assert list(read(stop=stop).request.stop.texts) == texts


def test_logit_bias_in_both_forms() -> None:
    expected = [LogitBias(token_id=5, bias=-100.0)]
    assert list(read(logit_bias={"5": -100}).request.sampling.logit_bias) == expected
    assert list(read(logit_bias=[[5, -100]]).request.sampling.logit_bias) == expected


@pytest.mark.parametrize(
    ("model", "echo"), [("gpt-4", "gpt-4"), (None, ""), ("", ""), ("org/name", "org/name"), ("/models/a.gguf", "")]
)
def test_the_model_is_only_repeated(model: object, echo: str) -> None:
    call = read(model=model)
    assert call.model == echo
    assert call.request.model == ""


@pytest.mark.parametrize(("n", "sequences"), [(None, 0), (1, 0), (2, 2), (128, 128)])
def test_number_of_choices(n: object, sequences: int) -> None:
    call = read(n=n)
    assert call.request.num_sequences == sequences
    assert call.n_choices == max(1, sequences)


@pytest.mark.parametrize(
    ("body", "top"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": None, "top_logprobs": None}, None),
        ({"logprobs": False, "top_logprobs": 0}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 3}, 3),
    ],
)
def test_logprobs(body: dict[str, object], top: int | None) -> None:
    call = read(**body)
    output = call.request.output
    assert (output.top_logprobs if output.HasField("top_logprobs") else None) == top
    assert call.wants_logprobs is (top is not None)


@pytest.mark.parametrize(
    ("options", "includes"),
    [(None, False), ({}, False), ({"include_usage": True}, True), ({"include_usage": None}, False)],
)
def test_include_usage(options: object, includes: bool) -> None:
    assert read(stream_options=options).includes_usage is includes


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json_object"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}, "json_schema"),
    ],
)
def test_response_format(value: object, kind: str | None) -> None:
    constraint = read(response_format=value).request.constraint
    assert constraint.WhichOneof("kind") == kind
    if kind == "json_schema":
        assert constraint.json_schema == '{"type":"object"}'


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"tools": [{"type": "function"}], "tool_choice": "auto"}, "tools"),
        ({"tools": [{"type": "function"}], "tool_choice": "required"}, "tools"),
        # What is said of the one counts for the one alone.
        ({"tools": [{"type": "function"}], "function_call": "none"}, "tools"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"modalities": "text"}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"response_format": {"type": "json_object"}, "grammar": "root ::= [a]"}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}, "grammar": "root ::= [a]"},
            "response_format",
        ),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": "2"}, "n"),
        ({"max_tokens": "8"}, "max_tokens"),
        ({"max_completion_tokens": []}, "max_completion_tokens"),
        ({"logprobs": 1}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"stream": "yes"}, "stream"),
        ({"continue_final_message": 1}, "continue_final_message"),
        ({"continue_final_message": "true"}, "continue_final_message"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"model": 5}, "model"),
        ({"temperature": "hot"}, "temperature"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_refusals_name_the_field(body: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**body)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "body",
    [
        {"tools": []},
        {"tools": None},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
        {"functions": [{"name": "f"}], "function_call": "none"},
        {"functions": []},
        {"tool_choice": "none"},
        {"tool_choice": "auto"},
        {"tool_choice": None},
        {"function_call": "none"},
        {"modalities": ["text"]},
        {"modalities": None},
        {"web_search_options": None},
        {"response_format": {"type": "text"}, "grammar": "root ::= [a]"},
    ],
)
def test_no_tools_are_no_reason_to_refuse(body: dict[str, object]) -> None:
    chat = read(**body).request.chat
    assert chat.messages
    assert not chat.HasField("tools_json")


@pytest.mark.parametrize(
    "hint",
    [
        {"user": "Ann"},
        {"metadata": {"run": "5"}},
        {"store": True},
        {"service_tier": "flex"},
        {"parallel_tool_calls": False},
        {"prediction": {"type": "content", "content": "x"}},
        {"reasoning_effort": "low"},
        {"verbosity": "low"},
        {"safety_identifier": "a"},
        {"prompt_cache_key": "a"},
        {"audio": {"voice": "alloy", "format": "mp3"}},
        {"stream_options": {"include_obfuscation": True}},
    ],
    ids=lambda hint: next(iter(hint)),
)
def test_fields_without_an_influence_on_the_text_are_ignored(hint: dict[str, object]) -> None:
    assert read(**hint) == read()


@untimed
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *["messages", "n", "stop", "logprobs", "response_format", "stream_options", "tools", "model"],
                "continue_final_message",
            ]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda children: (
                st.lists(children, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["role", "content", "type", "text", "json_schema", "schema", "name"]),
                    children,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_body_is_either_translated_or_refused_by_name(body: dict[str, object]) -> None:
    try:
        call = read_chat(body)
    except InvalidRequest as error:
        assert error.name.split("[")[0].split(".")[0] in {*body, "messages"}
    else:
        assert call.request.chat.messages
