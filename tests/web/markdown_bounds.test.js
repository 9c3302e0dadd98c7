// Answers that no model writes unless it loops: what they cost, and what is shown of them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Marked } from "../../rest_adapter/web/vendor/marked.js";
import { BlockReader, fenceOf, splitBlocks } from "../../rest_adapter/web/page/text/blocks.js";
import { BoundedLexer, MAX_WORK } from "../../rest_adapter/web/page/text/bounded_lexer.js";
import {
  MAX_BLOCK,
  MAX_COLOURED,
  MAX_COLOURED_LINE,
  MAX_DEFINITIONS,
  escapeHtml,
  linkDefinitions,
  toHtml,
} from "../../rest_adapter/web/page/text/markdown.js";

const LENGTH = 50_000;
const { defaults } = new Marked({ gfm: true, breaks: true });

const CHARACTERS = [...">-*_[(!`~|#<&\\\n \t])=+:@.1a字🐉"];
const UNITS = [
  ...["> ", "- ", "* ", "+ ", "1. ", "12345. ", "> > ", "- - ", "> - ", "- > ", "1. - ", "+ > 1. ", "- [x] "],
  ...["> a\n", "> a\n\n", ">\n\n", "- a\n", "- a\n\n", "- a\n\n  b\n\n", "-\n", "1. a\n", "- a\n* b\n+ c\n", "> - a\n- b\n"],
  ...["a*", "*a ", "**a ", "*a_ ", "_a*", "a**b", "**_a", "a_b", "~~a ", "*a* ", "***a** ", "*_", "_.", "~*", "**["],
  ...["[a", "[a]", "[a](", "[a](b", "[](", "![", "![a](", "[[a]", "](", "[a][", "[a]: b\n", '[a](b "', "[a](b)", "[`"],
  ...["`a", "``a`", "` `", "`a``b", "`*[", "<a", "<a ", '<a b="', "<!--", "<?", "<![CDATA[", "<b>x</b>", "<div>\n", "<a@b"],
  ...["a ", "a\n", "a\n\n", "a  \n", "\\\n", " \n", "\n ", "# a\n", "---\n", "===\n", "a\n---\n", "- - -\n", "    a\n"],
  ...["| a ", "| a | b |\n", "|-", "|---|---|\n", "|\n", "a|b\n-|-\n", "\\|", "```\n", "~~~\n", "```a\n", "- ```\n"],
  ...["http://a ", "http://", "www.a", "a@b.c ", "a@b-", "https://a.b/(", "http://a.b&amp;", "&#", "&amp;", "1.1", "a."],
  ...["a*_b[(!`~|#<&", "[*a](b)*", "![a](b)[", "<*[", "?!.,:*_~"],
];
const SHAPES = {
  "blanks between letters": (n) => `a${" ".repeat(n)}b`,
  "tabs between letters": (n) => `a${"\t".repeat(n)}b`,
  "empty lines between letters": (n) => `a${"\n".repeat(n)}b`,
  "blanks in a heading": (n) => `# a${" ".repeat(n)}b`,
  "blanks in a list": (n) => `-${" ".repeat(n)}b`,
  "a rule that is none": (n) => `${"-".repeat(n)}a`,
  "a long number": (n) => `${"1".repeat(n)}. a`,
  "a wide table": (n) => `${"|a".repeat(n / 4)}|\n${"|-".repeat(n / 4)}|\n`,
  "a wide table with short rows": (n) => `${"|a".repeat(n / 8)}|\n${"|-".repeat(n / 8)}|\n${"|\n".repeat(n / 4)}`,
  "a quote with lines that forgot their mark": (n) => `> a\n${"b\n".repeat(n / 2)}`,
  "a list in a quote with such lines": (n) => `> - a\n${"b\n".repeat(n / 2)}`,
  "brackets in brackets": (n) => `${"[".repeat(n / 2)}a${"]".repeat(n / 2)}`,
  "links in links": (n) => `${"[".repeat(n / 6)}a${"](b)".repeat(n / 6)}`,
  "parentheses in an address": (n) => `[a](${"(".repeat(n / 2)}${")".repeat(n / 2)})`,
  "emphasis in emphasis": (n) => `${"*a ".repeat(n / 6)}${"b*".repeat(n / 6)}`,
  "strong in strong": (n) => `${"**a ".repeat(n / 8)}${"b**".repeat(n / 8)}`,
  "both in both": (n) => `${"*a _b ".repeat(n / 12)}${"b_ c*".repeat(n / 12)}`,
  "lists in lists": (n) => Array.from({ length: Math.sqrt(n) }, (_, depth) => `${"  ".repeat(depth)}- a\n`).join(""),
  "fewer and fewer backticks": (n) =>
    Array.from({ length: Math.sqrt(2 * n) }, (_, i) => `${"`".repeat(Math.sqrt(2 * n) - i)}a`).join(""),
  "a comment without end": (n) => `<!--${"-".repeat(n)}`,
  "a tag without end": (n) => `<a${' b="c"'.repeat(n / 6)}`,
  "many definitions": (n) => Array.from({ length: n / 20 }, (_, i) => `[a${i}]: http://b`).join("\n"),
  "one definition, used often": (n) => `[a]: http://b\n\n${"[a] ".repeat(n / 4)}`,
  "a definition's title": (n) => `[a]: b\n'${"c\n".repeat(n / 2)}`,
  "a long address": (n) => `http://a.b/${"a".repeat(n)}`,
  "a long mail address": (n) => `a@b${".c".repeat(n / 2)}`,
  "what could become a mail address": (n) => `${"a+".repeat(n / 2)}@`,
  "one word": (n) => `_${"a_b".repeat(n / 3)}`,
  "code in one line": (n) => `\`${"a ".repeat(n / 2)}\``,
  "code that is not closed": (n) => `\`\`\`\n${"``\n".repeat(n / 3)}`,
  "code in a list that is not closed": (n) => `- \`\`\`\n${"a\n\n".repeat(n / 3)}`,
};
const repeated = (unit) => (n) => unit.repeat(Math.ceil(n / unit.length)).slice(0, n);
const INPUTS = Object.entries({
  ...Object.fromEntries([...CHARACTERS, ...UNITS].map((unit) => [`${JSON.stringify(unit)} again and again`, repeated(unit)])),
  ...SHAPES,
});

/** What the blocks of a text cost, as the lexer counts. Without the bound of a block, and so a bit too high. */
function workOf(text) {
  let sum = 0;
  for (const block of splitBlocks(text).filter((one) => one.length <= MAX_BLOCK && !fenceOf(one))) {
    const lexer = new BoundedLexer(defaults);
    try {
      lexer.lex(block);
      assert.ok(lexer.work <= MAX_WORK);
    } catch (error) {
      assert.equal(error.name, "TooMuch");
    }
    sum += Math.min(lexer.work, MAX_WORK);
  }
  return sum;
}

/** The words of a document that `toHtml` has made. */
function wordsOf(html) {
  return html.replace(/<[^>]*>/g, "").replace(/[\s\u200b]+/g, "");
}

describe(`texts of ${LENGTH} characters`, () => {
  for (const [name, make] of INPUTS) {
    const text = make(LENGTH);

    test(`${name}: twice as much is at most twice the work`, () => {
      assert.equal(splitBlocks(text).join(""), /\S/.test(text) ? text : "");
      const work = workOf(text);
      // A block more or less may just fit.
      assert.ok(workOf(make(2 * LENGTH)) <= 2.2 * work + 3 * MAX_WORK);
      assert.ok(work <= 1000 * LENGTH, `${work}`);
    });

    test(`${name}: something is shown`, () => {
      const definitions = linkDefinitions(text);
      const made = splitBlocks(text).map((block) => toHtml(block, { definitions })).join("");
      // A definition is seen in the links that use it, and nowhere else.
      if (/\S/.test(text) && !definitions) assert.notEqual(made.replace(/\s/g, ""), "");
    });

    test(`${name}: as code, colours see a bounded part`, () => {
      const seen = [];
      const highlight = (code) => {
        seen.push(code);
        return null;
      };
      for (const part of [text, text.slice(0, 5000)]) {
        const fence = "`".repeat(LENGTH + 3);
        assert.match(toHtml(`${fence}js\n${part}\n${fence}`, { highlight }), /class="code-block"/);
      }
      for (const code of seen) {
        assert.ok(code.length <= MAX_COLOURED);
        assert.ok(code.split("\n").every((line) => line.length <= MAX_COLOURED_LINE));
      }
    });
  }
});

describe("a block that is too much is shown as the text that it is, and the others have their form", () => {
  for (const [name, text] of [
    ["6,000 quotes", ">".repeat(6000)],
    ["3,000 lists", `${"- ".repeat(3000)}x`],
    ["50,000 blanks", `a${" ".repeat(50_000)}b`],
    ["links in links", "[".repeat(3000)],
    ["a long block", "word\n".repeat(MAX_BLOCK / 5 + 1)],
  ]) {
    test(name, () => {
      const blocks = splitBlocks(`**before**\n\n${text}\n\n**after**`);
      const [before, ...rest] = blocks.map((block) => toHtml(block));
      assert.equal(before, "<p><strong>before</strong></p>\n");
      assert.equal(rest.at(-1), "<p><strong>after</strong></p>\n");
      assert.match(rest[0], /^<div class="plain">/);
      assert.equal(wordsOf(rest[0]), escapeHtml(text.replace(/\s/g, "")));
    });
  }
});

test("what people write has its form, however long the whole is", () => {
  const page = "The **quick** _brown_ fox, `code` and [a link](https://example.org), twice.\n".repeat(8);
  const list = "- one **item** of many\n  - and one below it, with `code`\n".repeat(200);
  const table = `| a | b | c |\n|---|---|---|\n${"| 1 | **2** | `3` |\n".repeat(200)}`;
  const quotes = "> > - a list in a quote in a quote\n".repeat(20);
  for (const text of [page.repeat(5), `${page}\n`.repeat(50), list, `${table}\n`.repeat(20), `${quotes}\n`.repeat(20)]) {
    assert.doesNotMatch(splitBlocks(text).map((block) => toHtml(block)).join(""), /class="plain"/);
  }
});

test("a fault of the renderer costs one block its form", () => {
  const highlight = () => {
    throw new Error("no");
  };
  assert.match(toHtml("```js\n<x>\n```", { highlight }), /<code>&lt;x&gt;\n<\/code>/);
  assert.match(toHtml("- a\n\n  ```js\n  <x>\n  ```", { highlight }), /<code>&lt;x&gt;\n<\/code>/);
});

test("so many definitions are looked up, and no more", () => {
  const text = Array.from({ length: 3 * MAX_DEFINITIONS }, (_, i) => `[a${i}]: http://b.example`).join("\n");
  assert.equal(Object.keys(linkDefinitions(text)).length, MAX_DEFINITIONS);
});

describe("a growing text", () => {
  for (const [name, make] of INPUTS) {
    test(`${name}: each piece draws a bounded part anew`, () => {
      const text = make(12_000);
      const reader = new BlockReader();
      let drawn = [];
      for (let end = 1000; end <= text.length; end += 1000) {
        const sections = reader.read(text.slice(0, end));
        const again = drawn.filter((section, i) => section.join("") !== sections[i]?.join(""));
        assert.ok(again.length <= 2, `${again.length} sections`);
        drawn = sections;
      }
      assert.deepEqual(drawn.flat(), splitBlocks(text.slice(0, text.length - (text.length % 1000))));
    });
  }

  test("lines that were read are not read again", () => {
    const lines = Array.from({ length: 2000 }, (_, i) => `- item ${i}\n`);
    const reader = new BlockReader();
    const sliced = [];
    const { slice } = String.prototype;
    String.prototype.slice = function (...range) {
      const part = slice.apply(this, range);
      sliced.push(part.length);
      return part;
    };
    try {
      for (let text = "", i = 0; i < lines.length; i += 1) reader.read((text += lines[i]));
    } finally {
      String.prototype.slice = slice;
    }
    // Per step: the line, the tail that is compared, and the open block, which is handed out.
    assert.ok(sliced.length <= 4 * lines.length, `${sliced.length}`);
  });
});

test("sections hold all blocks in order; long blocks and fenced code are alone", () => {
  const blocks = ["a", "\n\n```\nb\n```\n", "c", `\n\n${"d".repeat(2000)}`, "\n\ne", "\n\nf"];
  const sections = [["a"], [blocks[1]], ["c"], [blocks[3]], ["\n\ne", "\n\nf"]];
  assert.deepEqual(new BlockReader().read(blocks.join("")), sections);
  assert.equal(new BlockReader().read("abc\n\n".repeat(600)).length, 3);
});
