"""The modules for front ends of one's own: completion.js, json-schema-to-grammar.mjs and index.js."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, answer
from tests.support.documented_page import DOCUMENTED_PAGE
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Step, accepted, delta, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.browser.conftest import Visitor

# With an icon, so that the browser asks for none.
PLAIN = '<!doctype html><title>Mine</title><link rel="icon" href="data:,">'
# Letters of two, three and four bytes.
TEXTS = ("ä", "€", "\N{GRINNING FACE}")


@pytest.fixture
def front_end(serve: Callable[..., str], visit: Visitor, tmp_path: Path) -> Callable[..., ChatPage]:
    """Opens a page of the user's own, served with ``--path``."""

    def start(html: str = PLAIN, **settings: object) -> ChatPage:
        directory = tmp_path / "public"
        directory.mkdir()
        (directory / "index.html").write_text(html)
        return visit(serve(static_path=str(directory), **settings))

    return start


def run(page: ChatPage, body: str, **values: object) -> Any:
    """The result of an asynchronous function's body that has completion.js as ``m`` and the values by name."""
    names = ", ".join(values)
    script = f"async ({{{names}}}) => {{ const m = await import('/completion.js'); {body} }}"
    return page.page.evaluate(script, values)


def script_of(core: FakeCore, steps: Sequence[Step]) -> None:
    """Let the core answer every request with these steps."""
    core.script = lambda request: steps


def test_the_example_of_the_documentation_writes_the_answer(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, answer("<b>Why did</b> ", "the model ", "stop?"))
    opened = front_end(DOCUMENTED_PAGE)
    expect(opened.page.locator("body")).to_contain_text("Why did the model stop?")
    expect(opened.page.locator("b")).to_have_text("Why did")
    assert core.calls[0].request.text.startswith("### Instruction:\nWrite dad jokes")
    assert core.calls[0].request.stop.max_tokens == 500


def test_llama_yields_every_event_and_returns_the_text(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, answer(*TEXTS))
    events, text = run(
        front_end(),
        """
        const events = [];
        const running = m.llama("Hello", {n_predict: 9, temperature: 0.5});
        let step = await running.next();
        for (; !step.done; step = await running.next()) events.push(step.value.data);
        return [events, step.value];
        """,
    )
    assert text == "".join(TEXTS)
    assert "".join(event["content"] for event in events) == text
    assert [event["stop"] for event in events] == [*(False for _ in events[1:]), True]
    request = core.calls[0].request
    assert (request.text, request.stop.max_tokens, list(request.stop.texts)) == ("Hello", 9, ["</s>"])
    assert request.sampling.temperature == 0.5


def test_the_event_target_tells_the_text_and_its_end(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, answer("a", "b"))
    seen = run(
        front_end(),
        """
        const target = m.llamaEventTarget("Hello");
        const seen = {text: "", kinds: []};
        target.addEventListener("message", (event) => { seen.text += event.detail.content; });
        for (const kind of ["generation_settings", "timings"]) {
          target.addEventListener(kind, (event) => { seen.kinds.push([kind, typeof event.detail]); });
        }
        return new Promise((resolve) => {
          target.addEventListener("done", (event) => resolve({...seen, done: event.detail}));
        });
        """,
    )
    assert seen["text"] == "ab"
    assert seen["done"] == {"content": "ab"}
    assert sorted(seen["kinds"]) == [["generation_settings", "object"], ["timings", "object"]]


def test_the_promise_gives_the_whole_text(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, answer(*TEXTS))
    assert run(front_end(), "return m.llamaPromise('Hello');") == "".join(TEXTS)


def test_the_callback_gets_every_chunk(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, answer("a", "b"))
    chunks = run(
        front_end(),
        """
        const chunks = [];
        await m.llamaComplete({prompt: "Hello"}, null, (chunk) => chunks.push(chunk.data.content));
        return chunks;
        """,
    )
    assert "".join(chunks) == "ab"
    assert core.calls[0].request.text == "Hello"


def test_the_model_info_is_that_of_the_server_or_the_last_completion(
    core: FakeCore, front_end: Callable[..., ChatPage]
) -> None:
    core.model.default_settings.n_ctx = 64
    script_of(core, answer("a"))
    before, after = run(
        front_end(),
        """
        const before = await m.llamaModelInfo();
        await m.llamaPromise("Hello");
        return [before, await m.llamaModelInfo()];
        """,
    )
    assert (before["n_ctx"], after["n_ctx"]) == (64, 512)


def test_an_aborted_completion_ends_in_the_core(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, [accepted(), delta("a"), Hold()])
    opened = front_end()
    name = run(
        opened,
        """
        const controller = new AbortController();
        try {
          for await (const chunk of m.llama("Hello", {}, {controller})) {
            if (chunk.data.content) controller.abort();
          }
        } catch (error) {
          return error.name;
        }
        return "ended";
        """,
    )
    assert name in ("AbortError", "ended")
    assert core.wait_for_call().cancelled.wait(WAIT_S)


def test_a_reader_that_leaves_the_loop_ends_the_completion(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    script_of(core, [accepted(), delta("a"), Hold()])
    run(front_end(), 'for await (const chunk of m.llama("Hello")) if (chunk.data.content) break;')
    assert core.wait_for_call().cancelled.wait(WAIT_S)


@pytest.mark.parametrize(
    ("params", "words"),
    [({"api_key": "wrong"}, "key"), ({"api_key": "sk-right", "n_predict": "many"}, "n_predict")],
    ids=["key", "parameter"],
)
def test_a_refused_completion_is_an_error_with_the_servers_words(
    params: dict[str, object], words: str, front_end: Callable[..., ChatPage]
) -> None:
    opened = front_end(api_keys=("sk-right",))
    # The browser itself reports answers with an error status; completion.js logs what it throws.
    opened.watch.announce("401", "400", words)
    message = run(
        opened,
        'return m.llamaPromise("Hello", params).then(() => "no error", (error) => error.message);',
        params=params,
    )
    assert words in message.lower()


def test_a_key_opens_the_server(core: FakeCore, front_end: Callable[..., ChatPage]) -> None:
    core.script = lambda request: whole("open")
    opened = front_end(api_keys=("sk-right",))
    assert run(opened, 'return m.llamaPromise("Hello", {api_key: "sk-right"});') == "open"


def test_a_schema_becomes_a_grammar(front_end: Callable[..., ChatPage]) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    lines = front_end().page.evaluate(
        """async (schema) => {
          const { SchemaConverter } = await import("/json-schema-to-grammar.mjs");
          const converter = new SchemaConverter({name: 0, age: 1});
          return [converter.visit(schema, ""), converter.formatGrammar()];
        }""",
        schema,
    )
    assert lines[0] == "root"
    rules = lines[1].split("\n")
    assert 'space ::= " "?' in rules
    root = next(rule for rule in rules if rule.startswith("root ::= "))
    assert root.index("name") < root.index("age")


def test_index_js_has_what_front_ends_are_made_with(front_end: Callable[..., ChatPage]) -> None:
    shown = front_end().page.evaluate(
        """async () => {
          const { html, h, signal, effect, computed, render, useSignal, useEffect, useRef, Component }
            = await import("/index.js");
          const clicks = signal(1);
          const twice = computed(() => 2 * clicks.value);
          class Shown extends Component { render() { return html`<p>${this.props.text}</p>`; } }
          const Counter = () => {
            const own = useSignal(5);
            const box = useRef(null);
            useEffect(() => { box.current.title = "mounted"; }, []);
            const text = "sum " + (twice.value + own.value);
            return html`<div ref=${box}><${Shown} text=${text} />${h("i", null, "h")}</div>`;
          };
          render(html`<${Counter} />`, document.body);
          let seen = 0;
          effect(() => { seen = clicks.value; });
          clicks.value = 4;
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          return [document.body.innerText.replace(/\\s+/g, " ").trim(), seen];
        }"""
    )
    assert shown == ["sum 13 h", 4]
