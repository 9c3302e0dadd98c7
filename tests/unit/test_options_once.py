"""Facts about options stand once, on the fields of ``protos/slotline/v1``; sources are made of them.

Whoever adds an option touches the proto, the settings of the sampler, and what acts on it.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slotline.options import BY_PATH, OPTIONS, OptionFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
PROTOS = "protos/slotline/v1/"
SOURCES = ("service", "rest_adapter", "slotline", "clients", "protos", "tools")
GENERATED = (
    "clients/python/src/slotline/v1/",
    "clients/python/src/slotline/options/table.py",
    "clients/python/src/slotline/options/plain_options.py",
    "rest_adapter/web/page/state/option_facts.js",
    "rest_adapter/web/vendor/",
)
#: What people may send, as examples and presets of values: no facts about the options.
VALUES = (
    *("clients/node/", "clients/shell/", "clients/python/README.md", "clients/python/examples/"),
    "rest_adapter/web/page/state/presets.js",
)
#: Most sources that name an option: the proto, the settings, and two that act on it.
MOST = 4
#: The most common chains of samplers, for all streams at once.
SHORT_CHAIN = "service/sampling/short_chain.py"
#: Where the API gives an option a meaning of its own, beyond its facts, and where it acts a second time.
SPECIAL = {
    "top_k": {SHORT_CHAIN},
    "min_p": {SHORT_CHAIN},
    "min_keep": {SHORT_CHAIN, "service/sampling/xtc.py"},
    # The tokens of its breakers take a while to find, and are not needed without it.
    "dry_multiplier": {"service/api/convert/quick.py", "service/api/convert/sampling.py"},
    "mirostat": {SHORT_CHAIN},
    # The routes of OpenAI and Anthropic have other defaults, which the page and the chat do not take.
    "top_p": {
        SHORT_CHAIN,
        "rest_adapter/apis/common/api_defaults.py",
        "rest_adapter/web/page/state/options.js",
        "slotline/cli/chat/answer.py",
        # Answers of the Responses API repeat it.
        "rest_adapter/apis/openai/responses/event_schema.py",
        "rest_adapter/apis/openai/responses/request.py",
        # An example of a path.
        "service/errors.py",
    },
    # A synonym of vLLM's.
    "repeat_penalty": {
        "rest_adapter/apis/common/option_schema.py",
        "rest_adapter/apis/common/synonyms.py",
        # It has another default in the shape of today.
        "rest_adapter/apis/common/api_defaults.py",
    },
    "repeat_last_n": {"rest_adapter/apis/common/synonyms.py"},
}
#: What chains, and options of the command line, are called in llama.cpp's programs of today.
NAMES_TODAY = {"clients/python/src/slotline/options/chain.py", "slotline/cli/options/groups/sampling.py"}
#: Also words of their own.
WORDS = {"temperature"}
NUMBERS = [facts for path, facts in BY_PATH.items() if path.startswith("sampling.") and facts.default is not None]
SCALARS = [facts for facts in NUMBERS if facts.is_scalar]


@cache
def sources() -> dict[str, str]:
    """Hand-written sources by their path."""
    found = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            is_source = path.suffix in {".py", ".js", ".mjs", ".proto", ".sh", ".md"} and "node_modules" not in name
            if is_source and not name.startswith(GENERATED):
                found[name] = path.read_text()
    return found


def naming(word: str) -> set[str]:
    """Sources that have a word."""
    pattern = re.compile(rf"\b{word}\b")
    return {name for name, text in sources().items() if pattern.search(text)}


def test_sources_are_found() -> None:
    assert {f"{PROTOS}sampling.proto", "service/sampling/settings.py"} <= naming("tfs_z")
    assert any(name.startswith("rest_adapter/web/page/") for name in sources())
    assert not any(name.startswith(GENERATED) for name in sources())


@pytest.mark.parametrize("facts", [one for one in SCALARS if one.field not in WORDS], ids=lambda facts: facts.field)
def test_an_option_is_named_where_it_is_declared_and_where_it_acts(facts: OptionFacts) -> None:
    found = (
        {name for name in naming(facts.field) if not name.startswith(VALUES)}
        - SPECIAL.get(facts.field, set())
        - NAMES_TODAY
    )
    chat = {"slotline/cli/chat/sampling.py"} if facts.field == "repeat_penalty" else set()
    assert {f"{PROTOS}sampling.proto", "service/sampling/settings.py"} <= found
    assert len(found - chat) <= MOST, sorted(found)
    if facts.truncates:
        assert found == {f"{PROTOS}sampling.proto", "service/sampling/settings.py", "service/sampling/truncation.py"}


@pytest.mark.parametrize("facts", OPTIONS, ids=[facts.name for facts in OPTIONS])
def test_what_an_option_does_is_said_once(facts: OptionFacts) -> None:
    # Up to the first sentence: what follows is made of other facts.
    words = re.split(r"(?<=\.) ", facts.help)[0]
    assert len(words) > 15
    found = [name for name, text in sources().items() if words in text]
    assert len(found) == 1
    assert found[0].startswith(PROTOS)


def constants(name: str, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Numbers and switches that code gives to names, by lines: defaults and bounds of them, if they are options."""
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=word), value=ast.Constant(value=bool() | int() | float())):
                yield word, node.lineno
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and _numbers(value):
                        yield str(key.value), node.lineno
            case (
                ast.Call(args=[ast.Constant(value=str(word)), *others])
                | ast.Tuple(elts=[ast.Constant(value=str(word)), *others])
            ) if any(map(_numbers, others)):
                yield word, node.lineno


def _numbers(node: ast.AST) -> bool:
    """Whether an expression is a number or a switch, or a call or tuple of some."""
    match node:
        case ast.Constant(value=bool() | int() | float()):
            return True
        case ast.UnaryOp(operand=operand):
            return _numbers(operand)
        case ast.Tuple(elts=elements):
            return any(map(_numbers, elements))
        case ast.Call(args=args, keywords=keywords):
            return any(map(_numbers, (*args, *(keyword.value for keyword in keywords))))
    return False


#: The chat ends answers in sight; seeds are wider in JSON than in the contract.
OWN = {("slotline/cli/chat/answer.py", "n_predict"), ("slotline/cli/chat/sampling.py", "seed")}


def test_no_default_and_no_bound_is_written_in_python() -> None:
    names = {"n_predict", "seed"} | {facts.field for facts in NUMBERS}
    found = {
        (name, word, line)
        for name, text in sources().items()
        if name.endswith(".py")
        for word, line in constants(name, ast.parse(text))
        if word in names and (name, word) not in OWN
    }
    assert not found


def test_written_defaults_and_bounds_would_be_found() -> None:
    code = """
class A:
    top_k: int = 40
B = {"top_p": (0.5, "x")}
C = ("min_p", real(minimum=0), "y")
D = f("seed", -1)
"""
    assert [word for word, _ in constants("a.py", ast.parse(code))] == ["top_k", "top_p", "min_p", "seed"]


def test_no_default_and_no_bound_is_written_on_the_page() -> None:
    names = "|".join(facts.name for facts in SCALARS)
    facts_of_options = re.compile(rf'\b(?:number|integer|boolean)\(\s*"|name: "(?:{names})"')
    page = {name: text for name, text in sources().items() if name.startswith("rest_adapter/web/page/")}
    assert len(page) > 50
    assert not [name for name, text in page.items() if facts_of_options.search(text)]
