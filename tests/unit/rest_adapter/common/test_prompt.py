from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.common.prompt import MAX_PROMPTS, Part, Picture, put_prompt, read_mixed, read_prompts
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest
from tests.support.properties import untimed


@pytest.mark.parametrize(
    ("value", "parts", "echo"),
    [
        ("Hi", ("Hi",), "Hi"),
        ("", (" ",), " "),
        (None, (" ",), " "),
        ([], (" ",), " "),
        (["Hi"], ("Hi",), ["Hi"]),
        ([""], (" ",), [""]),
        ([5], ((5,),), [5]),
        ([0], ((0,),), [0]),
        ([1, 2, 3], ((1, 2, 3),), [1, 2, 3]),
        ([1.0, 2], ((1, 2),), [1.0, 2]),
        ([[1, 2]], ((1, 2),), [[1, 2]]),
        ([[]], (" ",), [[]]),
        ([["a", 1]], ("a", (1,)), [["a", 1]]),
        (["a", 1], ("a", (1,)), ["a", 1]),
        ([1, "a"], ((1,), "a"), [1, "a"]),
        ([1, 2, "a", "b", 3], ((1, 2), "a", "b", (3,)), [1, 2, "a", "b", 3]),
        (["a", "", 3], ("a", "", (3,)), ["a", "", 3]),
        ({"prompt_string": "a"}, ("a",), "a"),
        ({"prompt_string": ""}, (" ",), " "),
        ({"prompt_string": [1, "a"]}, ((1,), "a"), [1, "a"]),
        ([{"prompt_string": "a"}], ("a",), "a"),
    ],
)
def test_one_prompt(value: object, parts: tuple[Part, ...], echo: object) -> None:
    prompts = read_prompts(value)
    assert not prompts.is_multiple
    assert [(prompt.parts, prompt.echo) for prompt in prompts.items] == [(parts, echo)]


@pytest.mark.parametrize(
    ("value", "prompts"),
    [
        (["a", "b"], [(("a",), "a"), (("b",), "b")]),
        (["a", ""], [(("a",), "a"), ((" ",), " ")]),
        ([[1, 2], [3]], [(((1, 2),), [1, 2]), (((3,),), [3])]),
        (["a", [1, 2]], [(("a",), "a"), (((1, 2),), [1, 2])]),
        ([["a", 1], ["b"]], [(("a", (1,)), ["a", 1]), (("b",), ["b"])]),
        ([[], "b"], [((" ",), " "), (("b",), "b")]),
        ([[1], {"prompt_string": "b"}], [(((1,),), [1]), (("b",), "b")]),
    ],
)
def test_several_prompts(value: object, prompts: list[tuple[tuple[Part, ...], object]]) -> None:
    read = read_prompts(value)
    assert read.is_multiple
    assert [(prompt.parts, prompt.echo) for prompt in read.items] == prompts


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (5, "prompt"),
        (1.5, "prompt"),
        (True, "prompt"),
        (False, "prompt"),
        ({}, "prompt"),
        ({"text": "a"}, "prompt"),
        ([True], "prompt[0]"),
        ([None], "prompt[0]"),
        ([{}], "prompt[0]"),
        ([-1], "prompt[0]"),
        ([1, -1], "prompt[1]"),
        ([1, 1.5], "prompt[1]"),
        ([1, 2**32], "prompt[1]"),
        ([1, None], "prompt[1]"),
        ([1, True], "prompt[1]"),
        ([1, [2]], "prompt[1]"),
        (["a", {}], "prompt[1]"),
        (["a", None], "prompt[1]"),
        (["a", True], "prompt[1]"),
        (["a", ["b", "c"]], "prompt[1]"),
        ([["b", "c"]], "prompt[0]"),
        ([[[1]]], "prompt[0][0]"),
        (["a", [[1]]], "prompt[1][0]"),
        ([["a", {}]], "prompt[0][1]"),
        ({"prompt_string": 5}, "prompt.prompt_string"),
        ({"prompt_string": {"prompt_string": "a"}}, "prompt.prompt_string"),
        (["a", {"prompt_string": [True]}], "prompt[1].prompt_string[0]"),
        ({"prompt_string": "<__media__>", "multimodal_data": ["AAAA"]}, "prompt.multimodal_data"),
    ],
)
def test_other_forms_are_refused(value: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_prompts(value)
    assert caught.value.name == name


class TestPictures:
    """``multimodal_data``."""

    def test_each_stands_at_its_marker(self) -> None:
        value = {"prompt_string": "<__media__>a<__media__>", "multimodal_data": ["AAAA", "BBBB"]}
        (prompt,) = read_prompts(value, takes_pictures=True).items
        first, second = (
            Picture(f"prompt.multimodal_data[{i}]", data) for i, data in enumerate((bytes(3), b"\x04\x10A"))
        )
        assert prompt.parts == ("", first, "a", second)
        assert prompt.echo == ""
        request = GenerateRequest()
        put_prompt(request, prompt)
        assert [part.WhichOneof("part") for part in request.parts.parts] == ["text", "image", "text", "image"]
        assert request.parts.parts[3].image.data == second.data

    def test_an_error_of_the_core_names_its_entry(self) -> None:
        value = ["a", {"prompt_string": "a<__media__>", "multimodal_data": ["AAAA"]}]
        prompt = read_prompts(value, takes_pictures=True).items[1]
        assert prompt.picture_at("parts.parts[1].image") == "prompt[1].multimodal_data[0]"
        assert [prompt.picture_at(path) for path in ("parts.parts[0]", "parts.parts[2]", "prompt")] == [None] * 3

    def test_none_and_no_marker_is_a_text(self) -> None:
        (prompt,) = read_prompts({"prompt_string": "", "multimodal_data": []}, takes_pictures=True).items
        assert (prompt.parts, prompt.echo) == ((" ",), " ")

    @pytest.mark.parametrize(
        ("text", "files", "name"),
        [
            ("a", ["AAAA"], "prompt.multimodal_data"),
            ("<__media__>", [], "prompt.multimodal_data"),
            ("<__media__>", "AAAA", "prompt.multimodal_data"),
            ("<__media__>", [5], "prompt.multimodal_data[0]"),
            ("<__media__>", ["malformed!"], "prompt.multimodal_data[0]"),
            ("<__media__>", [""], "prompt.multimodal_data[0]"),
            ([1], ["AAAA"], "prompt.prompt_string"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, text: object, files: object, name: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_prompts({"prompt_string": text, "multimodal_data": files}, takes_pictures=True)
        assert caught.value.name == name


def test_the_number_of_prompts_is_limited() -> None:
    assert len(read_prompts(["a"] * MAX_PROMPTS).items) == MAX_PROMPTS
    with pytest.raises(InvalidRequest, match=f"prompt: {MAX_PROMPTS + 1} prompts are more than"):
        read_prompts(["a"] * (MAX_PROMPTS + 1))


def test_a_text_becomes_the_field_text() -> None:
    request = GenerateRequest()
    put_prompt(request, read_prompts("Hi").items[0])
    assert request == GenerateRequest(text="Hi")


def test_token_ids_become_the_field_token_ids() -> None:
    request = GenerateRequest()
    put_prompt(request, read_prompts([1, 2]).items[0])
    assert list(request.token_ids.ids) == [1, 2]


def test_a_mix_becomes_parts() -> None:
    request = GenerateRequest()
    put_prompt(request, read_prompts(["a", 1, 2, "b"]).items[0])
    assert [part.WhichOneof("part") for part in request.parts.parts] == ["text", "token_ids", "text"]
    assert list(request.parts.parts[1].token_ids.ids) == [1, 2]


@untimed
@given(st.lists(st.integers(0, 2**32 - 1) | st.text(max_size=3)))
def test_mixing_keeps_every_element_in_order(values: list[object]) -> None:
    flat: list[object] = []
    for part in read_mixed("prompt", values):
        flat.extend(part if isinstance(part, tuple) else [part])
    assert flat == values


@untimed
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=2), children, max_size=2),
        max_leaves=8,
    )
)
def test_any_value_is_either_a_prompt_or_refused(value: object) -> None:
    try:
        prompts = read_prompts(value)
    except InvalidRequest as error:
        assert error.name.startswith("prompt")
    else:
        assert prompts.items
        assert all(prompt.parts for prompt in prompts.items)
