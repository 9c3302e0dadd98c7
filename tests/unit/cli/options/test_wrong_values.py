"""A value that is not allowed, for every option that takes one."""

from __future__ import annotations

import pytest

from slotline.cli.commands import COMMANDS, Command
from slotline.cli.options.groups.sampling import SETTING
from slotline.cli.options.table import UsageError, Value, parse
from slotline.cli.options.values import Kind

WRONG_VALUES = {
    "--log-format": "xml",
    "--model": "",
    "--alias": "",
    "--tags": ",",
    "--seed": "many",
    "--samplers": "infill",
    "--sampler-seq": "ki",
    "--dry-sequence-breaker": "",
    "--chat-template-file": "/nothing",
    "--ubatch-size": "0",
    "--ctx-checkpoints": "-1",
    "--checkpoint-min-step": "-1",
    "--threads-http": "-2",
    "--cache-reuse": "256",
    "--embd-normalize": "3",
    "--reasoning-effort": "",
    "--chat-template-kwargs": "[]",
    "--reasoning": "some",
    "--spec-type": "draft-mtp",
    "--reasoning-budget": "0",
    "--sleep-idle-seconds": "60",
    "--ctx-size": "-1",
    "--chat-template": "",
    "--tool-format": "morse",
    "--override-kv": "a=str:b",
    "--lora": "",
    "--lora-base": "",
    "--parallel": "0",
    "--slot-save-path": "/no/such/directory",
    "--n-predict": "-2",
    "--default-n-predict": "-2",
    "--max-queue": "0",
    "--cache-ram": "-2",
    "--system-prompt-file": "/nothing",
    "--prefill-budget-ms": "0",
    "--host": "127.0.0.1,",
    "--port": "65536",
    "--path": "",
    "--timeout": "0",
    "--cors-origins": "a.example",
    "--cors-methods": "GET, PO ST",
    "--cors-headers": "a:b",
    "--allowed-hosts": "http://a",
    "--image-url-allow": "http://a/b.png",
    "--media-path": "/no/such/directory",
    "--header-timeout": "0",
    "--request-timeout": "never",
    "--sse-ping": "never",
    "--openai-overflow": "cut",
    "--api-shape": "2023",
    "--reasoning-format": "some",
    "--max-body-mib": "0",
    "--grpc-listen": "50051",
    "--listen": "localhost",
    "--grpc-tls-cert": "",
    "--grpc-tls-key": "",
    "--grpc-client-ca": "",
    "--optional-listen": "unix:",
    "--core": "http://core:50051",
    "--core-api-key": "",
    "--core-api-key-file": "/nothing",
    "--core-ca": "",
    "--core-cert": "",
    "--core-key": "",
    "--core-server-name": "",
    "--api-key": "a\nb",
    "--api-key-file": "/nothing",
    "--drain-timeout": "-1",
    "--hang-timeout": "never",
    "--ready-file": "",
    "--threads": "-2",
    "--flash-attn": "yes",
    "--threads-batch": "1.5",
    "--batch-size": "0",
    "--cache-type-k": "f64",
    "--cache-type-v": "q8",
    "--numa": "all",
    "--lookup": "often",
    "--model-draft": "",
    "--draft-max": "0",
    "--draft-min": "-1",
    "--draft-p-min": "1.5",
    "--ctx-size-draft": "-1",
    "--threads-draft": "0",
    "--gpu-layers-draft": "many",
    "--grp-attn-n": "0",
    "--grp-attn-w": "0",
    "--pooling": "max",
    "--rope-scaling": "ntk",
    "--rope-freq-base": "-1",
    "--rope-freq-scale": "inf",
    "--yarn-ext-factor": "nan",
    "--yarn-attn-factor": "x",
    "--yarn-beta-slow": "1_0",
    "--yarn-beta-fast": "",
    "--n-gpu-layers": "many",
    "--load-mode": "dio",
    "--rope-scale": "-1",
    "--yarn-orig-ctx": "-1",
    "--defrag-thold": "x",
    "--slot-prompt-similarity": "x",
    "--log-colors": "on",
    "--fit": "on",
    "--lazy-mode": "on",
    "--split-mode": "column",
    "--tensor-split": "0,0",
    "--main-gpu": "16",
    "--exit-with-parent": "0",
    "--adapter-key-file": "/nothing",
    "--grpc": "h",
    "--service": "",
    "--http": "https://h",
    "--probe-timeout": "0",
    "--url": "ftp://h",
    "--mmproj": "",
    "--image-min-tokens": "0",
    "--image-max-tokens": "0",
    "--media-threads": "0",
    "--media-nice": "20",
    "--media-cache-ram": "-1",
    "--max-images": "0",
    "--max-image-mib": "0",
    "--max-request-image-mib": "1025",
    "--max-image-pixels": "0",
    "--image-cpu-limit": "0",
    "--max-waiting-images": "0",
    "--message": "",
    "--image": "/nothing",
    "--system": "",
    "--system-file": "/nothing",
    "--set": "top_k=-1",
    "--load": "/nothing",
    "--schema": "/nothing",
    "--tools": "/nothing",
}
VALUED = [
    (command, option)
    for command in COMMANDS.values()
    for group in command.groups
    for option in group.options
    if isinstance(option, Value)
]


def _wrong(option: Value) -> str:
    if option.setting.startswith(SETTING) and isinstance(option.convert, Kind):
        return "many"
    return next(WRONG_VALUES[name] for name in option.names if name in WRONG_VALUES)


IDS = [f"{command.name} {option.names[-1]}" for command, option in VALUED]


@pytest.mark.parametrize(("command", "option"), VALUED, ids=IDS)
def test_a_wrong_value_is_refused_under_the_name_that_was_typed(command: Command, option: Value) -> None:
    value = _wrong(option)
    for name in option.names:
        with pytest.raises(UsageError) as caught:
            parse(command.groups, [name, value])
        problem, argument = caught.value.lines
        assert problem.startswith("error: ")
        # The name, or for what is said in the words of the llama.cpp server, the value.
        assert name in problem or (value and value in problem)
        assert argument == f"error: invalid parameter for argument: {name}"


@pytest.mark.parametrize(("command", "option"), VALUED, ids=IDS)
def test_a_missing_value_is_told_unless_there_is_one_to_fall_back_on(command: Command, option: Value) -> None:
    for name in option.names:
        if option.bare is not None:
            assert option.setting in parse(command.groups, [name]).settings
            continue
        with pytest.raises(UsageError) as caught:
            parse(command.groups, [name])
        assert caught.value.lines == (
            f"error: {name} needs a value: {name} {option.metavar}",
            f"error: invalid parameter for argument: {name}",
        )
