import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeStorage } from "./fakes/storage.js";

globalThis.localStorage = new FakeStorage();
// What pages had kept before answers could obey a schema.
localStorage.setItem("slotline.schema", '{"type": "object"}');
const STATE = "../../rest_adapter/web/page/state";
const { grammar } = await import(`${STATE}/options.js`);
const { answerSchema, checkSchema, schemaOn, schemaProblem, schemaRefusal, schemaText } = await import(
  `${STATE}/schema.js`
);
const { notes } = await import(`${STATE}/notes.js`);
const kept = [schemaText.value, schemaOn.value];

beforeEach(() => {
  grammar.value = "";
  schemaOn.value = true;
  schemaText.value = '{"type": "object"}';
  notes.value = [];
});

test("a schema that was kept to be converted does not hold for answers by itself", () => {
  assert.deepEqual(kept, ['{"type": "object"}', false]);
});

test("a schema is sent while it is on", () => {
  assert.deepEqual(answerSchema(), { type: "object" });
  schemaOn.value = false;
  assert.equal(answerSchema(), null);
});

for (const [text, problem] of [
  ["", /^There is no schema\.$/],
  ["{", /^This is not JSON: /],
  ["[]", /^A schema is an object in braces\.$/],
  ["null", /^A schema is an object in braces\.$/],
]) {
  test(`what is no schema is told if it is on: ${text}`, () => {
    schemaText.value = text;
    assert.match(schemaProblem.value, problem);
    assert.equal(checkSchema(), false);
    assert.equal(notes.value.length, 1);
    schemaOn.value = false;
    assert.equal(schemaProblem.value, "");
    assert.equal(checkSchema(), true);
  });
}

test("only one of grammar and schema can hold", () => {
  grammar.value = 'root ::= "a"';
  assert.match(schemaProblem.value, /^There is a grammar, too, /);
  assert.equal(checkSchema(), false);
});

test("the server's word holds for the text that it was sent, and does not keep from asking again", () => {
  const error = { field: "json_schema", message: "json_schema: /a/uniqueItems is not supported" };
  schemaRefusal.take(error, schemaText.value);
  assert.equal(schemaProblem.value, "/a/uniqueItems is not supported");
  assert.equal(checkSchema(), true);
  schemaText.value = "{}";
  assert.equal(schemaProblem.value, "");
  schemaRefusal.take({ field: "top_k", message: "top_k: no" }, "{}");
  schemaRefusal.take(new Error("offline"), "{}");
  assert.equal(schemaProblem.value, "");
});
