import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fenceOf, splitBlocks } from "../../rest_adapter/web/page/text/blocks.js";

describe("what must be together stays together", () => {
  for (const [name, text] of [
    ["a list with empty lines", "- one\n\n- two\n\n  more\n\n    code\n\n- three"],
    ["a list that changes its mark", "- one\n\n1. two"],
    ["code in a list", "1. a\n\n   ```py\n   x\n\n   y\n   ```\n\n2. b"],
    ["code in a list that forgets its margin", "- a\n\n  ```py\nx\n\ny\n  ```\n\n- b"],
    ["code that begins with its item", "- ```py\n  x\n\n  y\n  ```"],
    ["indented code", "    a\n\n    b"],
    ["HTML of several paragraphs", "<pre>\na\n\nb\n</pre>"],
    ["a comment", "<!-- a\n\n**b** -->\nc"],
    ["a table", "| a |\n|---|\n| b |"],
  ]) {
    test(name, () => assert.deepEqual(splitBlocks(text), [text]));
  }
});

test("fenced code is a block of its own, wherever it stands", () => {
  const parts = ["words\n", "```py\nx\n\ny\n```\n", "more\n", "~~~\n```\n~~~\n", "1. a\n", "```\nb\n```\n", "2. c"];
  assert.deepEqual(splitBlocks(parts.join("")), parts);
});

test("code that is not closed goes on to the end", () => {
  assert.deepEqual(splitBlocks("a\n\n```\nb\n\n# c\n"), ["a", "\n\n```\nb\n\n# c\n"]);
});

describe("the parts of fenced code", () => {
  for (const [source, language, code] of [
    ["```python title=x\na\n\nb\n```", "python", "a\n\nb"],
    ["\n\n~~~~\n~~~\n~~~~\n\n", "", "~~~"],
    ["  ```js\n  a\n    b\n c\n  ```", "js", "a\n  b\nc"],
    ["```\na\n", "", "a"],
    ["```", "", ""],
    ["```\n```", "", ""],
    ["```\na\n``\n", "", "a\n``"],
  ]) {
    test(JSON.stringify(source), () => assert.deepEqual(fenceOf(source), { language, code }));
  }

  test("other blocks have none", () => {
    for (const source of ["a", "`` a ``", "```a``` b", "    ```\n    a", "- ```\n  a\n  ```"]) {
      assert.equal(fenceOf(source), null);
    }
  });
});
