"""The options of POST /v1/chat/completions."""

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


def read(**body: object) -> ChatCall:
    return read_chat({"messages": USER, **body})


def test_defaults() -> None:
    call = read()
    sampling, defaults = call.request.sampling, call.request.sampling_defaults
    assert (defaults.temperature, defaults.top_p) == (1.0, 1.0)
    assert {field.name for field, _ in defaults.ListFields()} == {"temperature", "top_p"}
    assert {field.name for field, _ in sampling.ListFields()} == {"penalty_prompt"}
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
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        # What is said of the one counts for the one alone.
        ({"functions": [{"name": "f"}], "tool_choice": "none"}, "functions"),
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
        {"reasoning_control": True},
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
