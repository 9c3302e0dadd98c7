"""The evaluation harness of EleutherAI scores ten lines through ``/v1/completions``, without any network."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from slotline.cli.default_model import default_model_path
from tests.support.server import PATIENCE_S, Server
from tests.support.tokenizer_files import write_tokenizer

PYTHON = Path(__file__).resolve().parent.parent.parent / ".venv-eval/bin/python"

#: Beginnings, and how each goes on: what is true, and what nobody would write there.
LINES = [
    ("Monday, Tuesday, Wednesday,", " Thursday", " lamp"),
    ("January, February, March,", " April", " stone"),
    ("A, B, C, D,", " E", " because"),
    ("one, two, three, four,", " five", " under"),
    ("The capital of France is", " Paris", " nine"),
    ("The capital of Germany is", " Berlin", " slowly"),
    ("The sun rises in the", " east", " Tuesday"),
    ("Once upon a", " time", " of the"),
    ("Romeo and", " Juliet", " however"),
    ("Ladies and", " gentlemen", " purple"),
]

TASK = {
    "task": "ten_lines",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{context}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{label}}",
    "target_delimiter": "",
    "metric_list": [{"metric": "acc"}],
}


@dataclass(frozen=True)
class Evaluation:
    """Files for the harness: the tokenizer, and the task with its lines."""

    folder: Path

    def run(self, url: str, *, batch_size: int = 1, **model_options: Any) -> dict[str, Any]:
        """What it found out, and what it was told for each sample."""
        options = {
            "model": "any",
            "base_url": f"{url}/v1/completions",
            "tokenizer": self.folder / "tokenizer",
            "tokenizer_backend": "huggingface",
            "max_retries": 1,
        } | model_options
        output = self.folder / "results"
        arguments = [str(PYTHON), "-m", "lm_eval", "--model", "local-completions", "--tasks", str(TASK["task"])]
        arguments += ["--model_args", ",".join(f"{name}={value}" for name, value in options.items())]
        arguments += ["--batch_size", str(batch_size)]
        arguments += ["--include_path", str(self.folder), "--output_path", str(output), "--log_samples"]
        # Nothing may be looked for anywhere else, and nothing kept.
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(self.folder / "cache")}
        done = subprocess.run(
            arguments, env=os.environ | offline, capture_output=True, text=True, timeout=10 * PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        (results,) = output.rglob("results_*.json")
        (samples,) = output.rglob("samples_*.jsonl")
        found = json.loads(results.read_text())["results"][TASK["task"]]
        told = [json.loads(line) for line in samples.read_text().splitlines()]
        for file in (results, samples):
            file.unlink()
        return {"found": found, "told": told}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The harness's files; tests are skipped where it is not installed."""
    if not PYTHON.exists():
        pytest.skip("lm-eval is not installed; `make test` does that")
    folder = tmp_path_factory.mktemp("lm_eval")
    write_tokenizer(Path(default_model_path()), folder / "tokenizer")
    lines = [{"context": context, "choices": [right, wrong], "label": 0} for context, right, wrong in LINES]
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = {"dataset_kwargs": {"data_files": {"test": str(folder / "lines.jsonl")}}}
    # JSON is YAML.
    (folder / "ten_lines.yaml").write_text(json.dumps(TASK | files))
    return Evaluation(folder)


def logprob_of(server: Server, context: str, continuation: str) -> float:
    """How probable a text is behind another one, asked for directly; each ends where a token does."""
    body = {"prompt": context + continuation, "max_tokens": 0, "echo": True, "logprobs": 0}
    answer = requests.post(f"{server.rest_url}/v1/completions", json=body, timeout=PATIENCE_S).json()
    lists = answer["choices"][0]["logprobs"]
    places = zip(lists["text_offset"], lists["token_logprobs"], strict=True)
    return float(sum(logprob for offset, logprob in places if offset >= len(context)))


# The harness imports for many seconds before it asks for anything.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"tokenized_requests": True, "batch_size": 4}, id="lists of ids"),
        pytest.param({"tokenized_requests": False, "num_concurrent": 2}, id="texts"),
    ],
)
def test_ten_lines_are_scored(server: Server, evaluation: Evaluation, options: dict[str, Any]) -> None:
    result = evaluation.run(server.rest_url, **options)
    assert result["found"]["acc,none"] == 1.0
    assert len(result["told"]) == len(LINES)
    for sample in result["told"]:
        context, choices = sample["doc"]["context"], sample["doc"]["choices"]
        told = [float(answers[0][0]) for answers in sample["resps"]]
        asked = [logprob_of(server, context, choice) for choice in choices]
        # The same tokens in other batches.
        assert told == pytest.approx(asked, abs=0.3)
