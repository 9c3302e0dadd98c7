"""Every option of /completion over REST: shown as it is in force, in the bytes that clients of the API know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = {"prompt": "One two three", "n_predict": 1, "temperature": 0, "seed": 7}
SAMPLERS = ["top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"]


def post(server: Server, path: str, **body: object) -> requests.Response:
    return requests.post(server.rest_url + path, json=body, timeout=PATIENCE_S)


def events_of(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(event.removeprefix("data: ")) for event in response.text.split("\n\n") if event]


def complete(server: Server, **options: object) -> dict[str, Any]:
    response = post(server, "/completion", **{**TINY, **options})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert isinstance(answer, dict)
    return answer


def wait_until_idle(server: Server) -> None:
    for _ in range(10_000):
        if requests.get(server.rest_url + "/health", timeout=PATIENCE_S).json()["slots_processing"] == 0:
            return
    raise AssertionError("a slot is still busy")


def shown(server: Server, name: str, value: object) -> str:
    """What the settings in the answer say about an option, as it is written."""
    text = post(server, "/completion", **{**TINY, name: value}).text
    settings = json.loads(text)["generation_settings"]
    written = json.dumps(settings[name], separators=(",", ":"))
    assert f'"{name}":{written}' in text
    return written


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("temperature", 0.7, "0.699999988079071"),
        ("temperature", None, "0.800000011920929"),
        ("temperature", True, "1.0"),
        ("dynatemp_range", 0.1, "0.10000000149011612"),
        ("dynatemp_range", None, "0.0"),
        ("dynatemp_exponent", 2, "2.0"),
        ("dynatemp_exponent", None, "1.0"),
        ("top_k", 5.9, "5"),
        ("top_k", None, "40"),
        ("top_p", 0.3, "0.30000001192092896"),
        ("top_p", None, "0.949999988079071"),
        ("min_p", 0.2, "0.20000000298023224"),
        ("min_p", None, "0.05000000074505806"),
        ("tfs_z", 0.9, "0.8999999761581421"),
        ("tfs_z", None, "1.0"),
        ("typical_p", 0.5, "0.5"),
        ("typical_p", None, "1.0"),
        ("top_n_sigma", 1.5, "1.5"),
        ("min_keep", True, "1"),
        ("min_keep", None, "0"),
        ("repeat_penalty", 1, "1.0"),
        ("repeat_penalty", None, "1.100000023841858"),
        ("repeat_last_n", 9, "9"),
        ("repeat_last_n", -1, "-1"),
        ("repeat_last_n", None, "64"),
        ("frequency_penalty", 0.5, "0.5"),
        ("frequency_penalty", None, "0.0"),
        ("presence_penalty", -0.5, "-0.5"),
        ("presence_penalty", None, "0.0"),
        ("penalize_nl", False, "false"),
        ("penalize_nl", None, "true"),
        ("mirostat", 1, "1"),
        ("mirostat", 2, "2"),
        ("mirostat", None, "0"),
        ("mirostat_tau", 3, "3.0"),
        ("mirostat_tau", None, "5.0"),
        ("mirostat_eta", 0.2, "0.20000000298023224"),
        ("mirostat_eta", None, "0.10000000149011612"),
        ("seed", 42, "42"),
        ("ignore_eos", None, "false"),
        ("logit_bias", [[5, 0.1], [6, False]], "[[5,0.10000000149011612],[6,null]]"),
        ("logit_bias", {"5": -1}, "[[5,-1.0]]"),
        ("logit_bias", None, "[]"),
        ("samplers", ["min_p", "temperature", "nonsense"], '["min_p","temperature"]'),
        ("samplers", [], "[]"),
        ("samplers", None, json.dumps(SAMPLERS, separators=(",", ":"))),
        ("n_predict", 3, "3"),
        ("n_predict", 0, "0"),
        ("stop", ["a", "b"], '["a","b"]'),
        ("stop", "a", '["a"]'),
        ("stop", None, "[]"),
        ("n_probs", 2, "2"),
        ("n_probs", None, "0"),
        ("n_keep", 2, "2"),
        ("n_keep", -1, "3"),
        ("n_keep", None, "0"),
        ("grammar", 'root ::= "a"', json.dumps('root ::= "a"')),
        ("grammar", None, '""'),
        ("stream", None, "false"),
    ],
)
def test_an_option_is_shown_as_it_is_in_force(server: Server, name: str, value: object, written: str) -> None:
    assert shown(server, name, value) == written


def test_the_seed_in_force_is_told_where_none_was_asked_for(server: Server) -> None:
    seeds = [complete(server, seed=seed)["generation_settings"]["seed"] for seed in (-1, None, 4294967295)]
    assert all(0 <= seed < 4294967295 for seed in seeds)
    assert len(set(seeds)) > 1


def test_ignored_ends_are_banned_tokens(server: Server) -> None:
    settings = complete(server, ignore_eos=True)["generation_settings"]
    assert settings["ignore_eos"] is True
    assert settings["logit_bias"]
    assert all(bias is None for _, bias in settings["logit_bias"])


@pytest.mark.parametrize(
    ("value", "uses", "tokens"),
    [("one", True, 1), ([5, 6, "x", 10**6], True, 2), ([], True, 0), (None, False, 0), (5, False, 0)],
)
def test_the_penalty_prompt_is_shown_as_tokens(server: Server, value: object, uses: bool, tokens: int) -> None:
    settings = complete(server, penalty_prompt=value)["generation_settings"]
    assert settings["use_penalty_prompt_tokens"] is uses
    assert len(settings["penalty_prompt_tokens"]) == tokens


def test_a_newer_sampler_acts_and_is_shown_only_while_it_is_on(server: Server) -> None:
    wild = {"temperature": 50, "top_k": 0, "top_p": 1, "min_p": 0, "n_predict": 8}
    plain, narrow, best = (
        complete(server, **options) for options in (wild, wild | {"top_n_sigma": 1e-6}, {"n_predict": 8})
    )
    assert narrow["content"] == best["content"] != plain["content"]
    assert "top_n_sigma" not in plain["generation_settings"]
    assert plain["generation_settings"]["samplers"] == SAMPLERS
    assert narrow["generation_settings"]["samplers"] == ["top_n_sigma", *SAMPLERS]


@pytest.mark.parametrize("slot_id", [2, 0, 3])
def test_a_free_slot_is_taken_if_it_was_asked_for(server: Server, slot_id: int) -> None:
    assert complete(server, slot_id=slot_id)["slot_id"] == slot_id
    response = post(server, "/completion", **TINY, slot_id=slot_id, stream=True)
    assert [event["slot_id"] for event in events_of(response)] == [slot_id, slot_id]


@pytest.mark.parametrize("slot_id", [-1, 77, None])
def test_any_slot_is_taken_for_one_that_does_not_exist(server: Server, slot_id: object) -> None:
    assert complete(server, slot_id=slot_id)["slot_id"] in range(4)


def test_a_prompt_is_read_again_only_if_the_cache_is_not_wanted(server: Server) -> None:
    prompt = "The cache of this server keeps what it has read, unless somebody says otherwise."
    fresh = complete(server, prompt=prompt, cache_prompt=False)
    reused = [complete(server, prompt=prompt, cache_prompt=value) for value in (True, None)]
    assert fresh["timings"]["prompt_n"] == fresh["tokens_evaluated"] > 1
    assert [answer["timings"]["prompt_n"] for answer in reused] == [1, 1]
    assert {answer["tokens_evaluated"] for answer in reused} == {fresh["tokens_evaluated"]}


def test_no_tokens_are_an_answer_with_an_evaluated_prompt(server: Server) -> None:
    answer = complete(server, n_predict=0)
    assert (answer["content"], answer["tokens_predicted"], answer["stopped_limit"]) == ("", 0, True)
    assert answer["tokens_cached"] == answer["tokens_evaluated"] == 3
    assert None not in answer["timings"].values()


def test_images_are_ignored_and_the_stream_says_so(server: Server) -> None:
    image = {"data": "aGk=", "id": 12}
    plain = complete(server, prompt="USER:[img-12]Hi")
    assert complete(server, prompt="USER:[img-12]Hi", image_data=[image])["content"] == plain["content"]
    response = post(server, "/completion", **TINY, image_data=[image], stream=True)
    assert events_of(response)[0]["multimodal"] is False


def test_as_many_probabilities_as_asked_for_and_one_record_per_token(server: Server) -> None:
    answer = complete(server, n_probs=3, n_predict=4, temperature=0.7)
    records = answer["completion_probabilities"]
    assert len(records) == answer["tokens_predicted"] == 4
    for record in records:
        chances = [candidate["prob"] for candidate in record["probs"]]
        assert chances == sorted(chances, reverse=True)
        assert len(chances) == 3


@pytest.fixture(scope="module")
def small_server() -> Iterator[Server]:
    """One slot of 256 tokens, whose system prompt may be changed."""
    with Server("-c", "256", "-np", "1") as running:
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize(("n_keep", "kept"), [(4, 4), (None, 0), (-1, 252)])
def test_a_prompt_that_is_too_long_is_cut_and_keeps_what_was_asked_for(
    small_server: Server, n_keep: object, kept: int
) -> None:
    answer = complete(small_server, prompt="word " * 400, n_keep=n_keep)
    assert answer["truncated"] is True
    assert answer["tokens_evaluated"] < 256
    assert answer["generation_settings"]["n_keep"] == kept
    assert answer["prompt"] == "word " * 400


def test_a_system_prompt_is_set_by_a_request_and_told_by_props(small_server: Server) -> None:
    wait_until_idle(small_server)
    system = {"prompt": "A talk of two.\n", "anti_prompt": "User:", "assistant_name": "Bot:"}
    # Its own tokens are in no count.
    assert complete(small_server, system_prompt=system)["tokens_evaluated"] == 3
    props = requests.get(small_server.rest_url + "/props", timeout=PATIENCE_S).json()
    assert (props["user_name"], props["assistant_name"]) == ("User:", "Bot:")
