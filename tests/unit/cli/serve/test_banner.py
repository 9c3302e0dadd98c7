from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.config import CoreConfig, LoraAdapter, MediaOptions, ModelConfig, SystemPromptText
from slotline.cli.serve.banner import BannerFacts, BannerModel, banner
from slotline.cli.serve.model_file import check_model
from tests.support.tiny_gguf import write_tiny_gguf

MODEL = BannerModel(path=Path("/models/tiny.gguf"), size_bytes=92 * 2**20, n_slots=4, n_ctx_slot=2048)
SERVE = BannerFacts(
    version="1.2.3", rest_url="http://127.0.0.1:8080", grpc=("127.0.0.1:50051", "unix:/run/slotline.sock"), model=MODEL
)


def _rows(facts: BannerFacts) -> dict[str, str]:
    """The texts of the banner by their labels."""
    lines = banner(facts).splitlines()[2:-1]
    return {line[2:10].strip(): line[10:] for line in lines}


def test_the_banner_of_serve_tells_where_everything_is() -> None:
    assert banner(SERVE) == (
        "\n"
        "Slotline 1.2.3 is ready\n"
        "  REST    http://127.0.0.1:8080 for browsers and the API of llama.cpp\n"
        "  OpenAI  http://127.0.0.1:8080/v1 is the base_url for clients\n"
        "  gRPC    127.0.0.1:50051, unix:/run/slotline.sock\n"
        "  model   /models/tiny.gguf\n"
        "  slots   4 slots of 2048 tokens\n"
        "  stop    Ctrl-C lets running requests finish, a second one does not\n"
        "\n"
    )


def test_the_banner_of_a_core_has_no_rest() -> None:
    assert list(_rows(BannerFacts(grpc=("h:1",), model=MODEL))) == ["gRPC", "model", "slots", "stop"]


def test_the_banner_of_an_adapter_has_a_core_and_no_model() -> None:
    facts = BannerFacts(version="1.2.3", rest_url="http://127.0.0.1:8080", core="core:50051")
    assert banner(facts).startswith("\nSlotline 1.2.3 listens\n")
    rows = _rows(facts)
    assert list(rows) == ["REST", "OpenAI", "core", "stop"]
    assert rows["core"] == "core:50051; http://127.0.0.1:8080/health tells whether it serves"


def test_the_model_with_all_that_was_put_on_top_of_it() -> None:
    adapters = (LoraAdapter("a.gguf"), LoraAdapter("b.gguf", 0.5))
    model = replace(MODEL, n_slots=1, alias="tiny", adapters=adapters, system_prompt_chars=34)
    shown = banner(replace(SERVE, model=model))
    assert (
        "  model   tiny: /models/tiny.gguf\n"
        "  LoRA    a.gguf, factor 1\n"
        "  LoRA    b.gguf, factor 0.5\n"
        "  system  a prompt of 34 characters comes first in every slot\n"
        "  slots   1 slot of 2048 tokens\n"
    ) in shown


def test_the_facts_of_a_model_are_those_of_its_configuration_and_file(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    model = ModelConfig(path=str(path), n_ctx=256, n_parallel=2)
    config = CoreConfig(model=model, alias="tiny", system_prompt=SystemPromptText("Hello"))
    facts = BannerModel.of(config, check_model(config))
    assert (facts.path, facts.alias, facts.n_slots, facts.n_ctx_slot) == (path, "tiny", 2, 128)
    assert facts.system_prompt_chars == 5


def test_with_one_cache_for_all_every_slot_has_the_whole_context(tmp_path: Path) -> None:
    model = ModelConfig(path=str(write_tiny_gguf(tmp_path / "tiny.gguf")), n_ctx=256, n_parallel=2)
    config = CoreConfig(model=model, kv_unified=True)
    assert BannerModel.of(config, check_model(config)).n_ctx_slot == config.engine.n_ctx_slot == 256


@pytest.mark.parametrize(
    ("n_bytes", "size"), [(999, "999 B"), (2048, "2.0 KiB"), (92 * 2**20, "92 MiB"), (3 * 2**29, "1.5 GiB")]
)
def test_sizes(n_bytes: int, size: str) -> None:
    assert replace(MODEL, size_bytes=n_bytes).title == f"tiny.gguf ({size})"


def test_an_address_that_was_busy_is_told() -> None:
    rows = _rows(replace(SERVE, grpc=(), grpc_missing=("127.0.0.1:50051",)))
    assert rows["gRPC"] == (
        "on no TCP port (127.0.0.1:50051 is taken by another program; choose one with --grpc-listen)"
    )


@pytest.mark.parametrize(
    ("url", "shown", "is_open"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", False),
        ("http://[::1]:8080", "http://[::1]:8080", False),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080", True),
        ("http://[::]:8080", "http://[::1]:8080", True),
        ("http://192.0.2.7:8080", "http://192.0.2.7:8080", True),
    ],
)
def test_addresses_can_be_clicked_and_open_doors_are_told(url: str, shown: str, is_open: bool) -> None:
    rows = _rows(replace(SERVE, rest_url=url))
    assert rows["OpenAI"] == f"{shown}/v1 is the base_url for clients"
    assert rows["REST"].startswith(f"{shown} for browsers")
    assert rows["REST"].endswith(" at every address of this machine") == (url != shown)
    assert ("keys" in rows) == is_open


def test_other_addresses_are_told_and_open_doors_among_them() -> None:
    rows = _rows(replace(SERVE, also=("http://[::1]:8080", "http://127.0.0.2:8080")))
    assert rows["also"] == "http://[::1]:8080, http://127.0.0.2:8080"
    assert "keys" not in rows
    assert "keys" in _rows(replace(SERVE, also=("http://192.0.2.7:8080",)))
    rows = _rows(replace(SERVE, also=("http://0.0.0.0:8080", "http://127.0.0.2:8080")))
    assert rows["also"] == "http://127.0.0.1:8080 at every address of this machine, http://127.0.0.2:8080"
    assert "keys" in rows


def test_the_health_of_a_core_is_told_at_an_address_to_connect_to() -> None:
    rows = _rows(BannerFacts(rest_url="http://0.0.0.0:8080", core="unix:/core"))
    assert rows["core"] == "unix:/core; http://127.0.0.1:8080/health tells whether it serves"


def test_keys_are_told_and_how_to_send_them() -> None:
    facts = replace(SERVE, rest_url="http://0.0.0.0:8080", api_keys="****word")
    assert _rows(facts)["keys"] == "****word; clients send `Authorization: Bearer KEY`"


def test_what_pictures_prompts_may_have_is_told() -> None:
    media = MediaOptions(mmproj="/models/mmproj.gguf", max_images=2, max_image_bytes=1 << 20)
    assert _rows(replace(SERVE, model=replace(MODEL, media=media)))["images"] == (
        "/models/mmproj.gguf; a request may have 2, each up to 1.0 MiB, 32 MiB together"
    )
    assert "images" not in _rows(SERVE)
