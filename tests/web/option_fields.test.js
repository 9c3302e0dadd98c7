import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS, optionOf } from "../../rest_adapter/web/page/state/option_table.js";
import {
  findOptions,
  moved,
  readBias,
  readNumber,
  sliderRange,
  valueWords,
} from "../../rest_adapter/web/page/views/option_field_model.js";

test("a number field gives numbers in its range and nothing else", () => {
  const topP = optionOf("top_p");
  assert.equal(readNumber(topP, "0.5"), 0.5);
  assert.equal(readNumber(topP, "1"), 1);
  for (const text of ["", " ", "1.01", "-0.1", "much", "1e999"]) assert.equal(readNumber(topP, text), null, text);
});

test("a whole number has no fraction", () => {
  const topK = optionOf("top_k");
  assert.equal(readNumber(topK, "40"), 40);
  assert.equal(readNumber(topK, "1e2"), 100);
  assert.equal(readNumber(topK, "40.5"), null);
});

test("every number but the seed has a slider within its range that reaches its default", () => {
  for (const option of OPTIONS.filter(({ kind }) => kind === "number" || kind === "integer")) {
    const range = sliderRange(option);
    if (option.name === "seed") {
      assert.equal(range, null);
      continue;
    }
    const [from, to] = range;
    assert.ok(option.min <= from && to <= option.max, option.name);
    assert.ok(from <= option.default && option.default <= to, option.name);
  }
});

test("every default has words", () => {
  const words = Object.fromEntries(OPTIONS.map((option) => [option.name, valueWords(option, option.default)]));
  assert.equal(words.mirostat, "Off");
  assert.equal(words.cache_prompt, "on");
  assert.equal(words.stop, "none");
  assert.equal(words.logit_bias, "none");
  assert.equal(words.top_k, "40");
  assert.equal(words.samplers, "top_k, tfs_z, typical_p, top_p, min_p, temperature");
  for (const [name, text] of Object.entries(words)) assert.ok(text, name);
});

test("options are found by label, by API name and by hint", () => {
  const names = (query) => findOptions(OPTIONS, query).map(({ name }) => name);
  assert.ok(names("temperature").includes("temperature"));
  assert.deepEqual(names("typical_p"), ["typical_p"]);
  assert.deepEqual(names("SEED takes"), ["seed"]);
  assert.deepEqual(names("no such thing"), []);
  assert.equal(names("  ").length, OPTIONS.length);
});

test("an item moves to a place, at most to an end", () => {
  assert.deepEqual(moved(["a", "b", "c"], 0, 2), ["b", "c", "a"]);
  assert.deepEqual(moved(["a", "b", "c"], 2, 0), ["c", "a", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], 1, 9), ["a", "c", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], 1, -5), ["b", "a", "c"]);
});

test("a bias is a pair of a token and a number, or a ban", () => {
  assert.deepEqual(readBias("hello", "-2.5"), ["hello", -2.5]);
  assert.deepEqual(readBias("42", "1"), [42, 1]);
  assert.deepEqual(readBias(" yes", " Never "), [" yes", false]);
  for (const [id, amount] of [
    ["", "1"],
    ["a", ""],
    ["a", " "],
    ["a", "many"],
    ["a", "1e999"],
  ]) {
    assert.equal(readBias(id, amount), null);
  }
});
