import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { BlockReader, splitBlocks } from "../../rest_adapter/web/page/text/blocks.js";
import { escapeHtml, linkDefinitions, toHtml } from "../../rest_adapter/web/page/text/markdown.js";

const LONG = [
  "# Title\n\nA paragraph\nof two lines.\n\n",
  "- one\n- two\n\n  still two\n\n1. first\n2. second\n\n\n",
  "```python\ndef f():\n\n    return 1\n```\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted\n> more\n\n---\n\nSetext\n===\n\nlast words",
].join("");

describe("what a model writes never becomes markup of its own", () => {
  const cases = [
    ["a <b>word</b>", "<p>a &lt;b&gt;word&lt;/b&gt;</p>\n"],
    ["<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"],
    ["[x](javascript:alert(1))", "<p>x</p>\n"],
    ["[x](data:text/html,a)", "<p>x</p>\n"],
    ["[x](/slots)", "<p>x</p>\n"],
    ["`<i>`", "<p><code>&lt;i&gt;</code></p>\n"],
  ];
  for (const [source, expected] of cases) {
    test(source, () => assert.equal(toHtml(source), expected));
  }
});

test("links open elsewhere and tell nothing about this page", () => {
  assert.equal(
    toHtml('[x](https://example.org/?a="b)'),
    '<p><a href="https://example.org/?a=&quot;b" target="_blank" rel="noopener noreferrer">x</a></p>\n',
  );
});

test("an image is a link: nothing is loaded from elsewhere", () => {
  const made = toHtml("![a <cat>](https://example.org/cat.png)");
  assert.match(made, /<a href="https:\/\/example\.org\/cat\.png"[^>]*>a &lt;cat&gt;<\/a>/);
  assert.doesNotMatch(made, /<img/);
});

test("a code block has its language, a button and its text", () => {
  const made = toHtml("```python title=x\nprint('<a>')\n```");
  assert.match(made, /<span>python<\/span><button type="button"[^>]*>Copy code<\/button>/);
  assert.match(made, /<code>print\(&#39;&lt;a&gt;&#39;\)\n<\/code>/);
});

test("the language of a code block cannot bring markup", () => {
  assert.match(toHtml("```<img/src=x>\na\n```"), /<span>&lt;img\/src=x&gt;<\/span>/);
});

test("code is coloured by what is given, and plain where that does not know the language", () => {
  const highlight = (code, language) => (language === "js" ? `<i>${code}</i>` : null);
  assert.match(toHtml("```js\nx\n```", { highlight }), /<code><i>x<\/i>\n<\/code>/);
  assert.match(toHtml("```\n<x\n```", { highlight }), /<code>&lt;x\n<\/code>/);
});

test("blocks joined are the text", () => {
  assert.equal(splitBlocks(LONG).join(""), LONG);
  assert.deepEqual(splitBlocks("a\r\nb\r\n\r\nc"), ["a\nb", "\n\nc"]);
  assert.deepEqual(splitBlocks(""), []);
});

test("a growing text ends in the blocks of the whole, whatever the pieces", () => {
  for (const size of [1, 2, 3, 7, 50]) {
    const reader = new BlockReader();
    for (let end = size; end < LONG.length + size; end += size) {
      const text = LONG.slice(0, end);
      assert.deepEqual(reader.read(text).flat(), splitBlocks(text), `pieces of ${size}`);
    }
  }
});

test("blocks that are finished stay the same while the text grows", () => {
  const reader = new BlockReader();
  const [start] = reader.read("one\n\ntwo\n\nthree");
  assert.deepEqual(reader.read("one\n\ntwo\n\nthree and more\n\nfour")[0].slice(0, 2), start.slice(0, 2));
});

test("a text that is not the old one continued is split anew", () => {
  const reader = new BlockReader();
  reader.read("one\n\ntwo\n\nthree\n\nfour");
  assert.deepEqual(reader.read("other"), [["other"]]);
  assert.deepEqual(reader.read("another\n\nwith\n\nmore"), [["another", "\n\nwith", "\n\nmore"]]);
});

test("a block finds the addresses that are defined elsewhere in the text", () => {
  const text = "See [the page][p].\n\nMore.\n\n[p]: https://example.org\n";
  const definitions = linkDefinitions(text);
  assert.deepEqual(Object.keys(definitions), ["p"]);
  assert.match(toHtml(splitBlocks(text)[0], { definitions }), /<a href="https:\/\/example\.org"/);
  assert.equal(linkDefinitions("no [definitions] here: none"), null);
  assert.equal(linkDefinitions("```\n[p]: https://example.org\n```"), null);
});

test("tasks are text", () => {
  assert.match(toHtml("- [x] done\n- [ ] open"), /<li>\u2611 done<\/li>\n<li>\u2610 open<\/li>/);
});

test("all characters that mean something in HTML are replaced", () => {
  assert.equal(escapeHtml(`<a href="x" id='y'>&</a>`), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&lt;/a&gt;");
});
