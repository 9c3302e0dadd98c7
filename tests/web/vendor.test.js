// The copies of third-party modules: each can be imported as it is, and does what the page wants of it.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const VENDOR = new URL("../../rest_adapter/web/vendor/", import.meta.url);

test("every module can be imported, and makes no globals", async () => {
  const before = Object.getOwnPropertyNames(globalThis);
  const names = (await readdir(VENDOR)).filter((name) => name.endsWith(".js"));
  assert.ok(names.length >= 9);
  for (const name of names) {
    assert.notEqual(Object.keys(await import(new URL(name, VENDOR))).length, 0, name);
  }
  assert.deepEqual(Object.getOwnPropertyNames(globalThis), before);
});

test("no module makes code of text, which the page's policy forbids", async () => {
  for (const name of (await readdir(VENDOR)).filter((one) => one.endsWith(".js"))) {
    const text = await readFile(new URL(name, VENDOR), "utf8");
    assert.doesNotMatch(text, /\beval\(|new Function\b|sourceMappingURL/, name);
  }
});

test("templates make elements, and there is one copy of signals", async () => {
  const { html, signal, Component } = await import("../../rest_adapter/web/page/ui.js");
  const { signal: core } = await import("../../rest_adapter/web/vendor/signals-core.js");
  const { signal: bound } = await import("../../rest_adapter/web/vendor/signals.js");
  assert.equal(signal, core);
  assert.equal(bound, core);
  class View extends Component {}
  const element = html`<${View} name="a" ...${{ b: 1 }}><p>${2}</p><//>`;
  assert.equal(element.type, View);
  assert.equal(element.props.name, "a");
  assert.equal(element.props.b, 1);
});

test("code in the usual languages is highlighted", async () => {
  const { default: highlight } = await import("../../rest_adapter/web/vendor/highlight.js");
  for (const name of ["py", "js", "ts", "c++", "cs", "rs", "sh", "html", "toml", "yml", "md", "docker", "jsonc"]) {
    assert.ok(highlight.getLanguage(name), name);
  }
  const { value } = highlight.highlight("def f(a): return '<'", { language: "python" });
  assert.match(value, /^<span class="hljs-keyword">def<\/span> /);
  assert.match(value, /&lt;/);
});

test("Markdown becomes HTML", async () => {
  const { marked } = await import("../../rest_adapter/web/vendor/marked.js");
  assert.equal(marked.parse("*a*\n\n```js\n1 < 2\n```").replaceAll("\n", ""),
    '<p><em>a</em></p><pre><code class="language-js">1 &lt; 2</code></pre>');
});
