import assert from "node:assert/strict";
import { test } from "node:test";
import { grammarOf, problemOf } from "../../rest_adapter/web/page/views/grammar_editor_model.js";

const SCHEMA = JSON.stringify({ type: "object", properties: { a: { type: "null" }, b: { type: "null" } } });

test("properties come in the order that is asked for", () => {
  const places = (order) => ["a", "b"].map((name) => grammarOf(SCHEMA, order).indexOf(`\\"${name}\\"`));
  const [a, b] = places("");
  assert.ok(a >= 0 && a < b);
  const [late, early] = places(" b , a,");
  assert.ok(early >= 0 && early < late);
});

test("a schema that cannot be converted is refused with the reason", () => {
  assert.throws(() => grammarOf("  ", ""), /There is no JSON Schema to convert\./);
  assert.throws(() => grammarOf("{", ""), /^Error: This is not JSON: /);
  assert.throws(() => grammarOf('{"type": "odd"}', ""), /Unrecognized schema: .*odd/);
});

test("a problem of a grammar begins with its place", () => {
  const refusal = "grammar: is no grammar that can be used: line 1, column 6: expected '::=', found 'b'";
  assert.equal(problemOf(refusal), "Line 1, column 6: expected '::=', found 'b'");
  assert.equal(problemOf("grammar: 70000 bytes are too many"), "Grammar: 70000 bytes are too many");
});
