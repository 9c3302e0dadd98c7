import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const PAGE = "../../rest_adapter/web/page";
const { checkTools, toolChoice, toolFields, toolsOn, toolsProblem, toolsText } = await import(`${PAGE}/state/tools.js`);
const { canAsk, resetAll } = await import(`${PAGE}/state/sending.js`);
const { schemaOn } = await import(`${PAGE}/state/schema.js`);
const { isWhole, openCalls } = await import(`${PAGE}/state/messages.js`);
const { shownJson } = await import(`${PAGE}/views/tool_calls_model.js`);
const { SCHEMA_EXAMPLES } = await import(`${PAGE}/views/schema_editor_examples.js`);
const { TOOL_EXAMPLES } = await import(`${PAGE}/views/tools_editor_examples.js`);

const TOOLS = [{ type: "function", function: { name: "f" } }];

beforeEach(() => {
  toolsOn.value = true;
  toolsText.value = JSON.stringify(TOOLS);
  toolChoice.value = "auto";
});

test("tools are sent with what the model does with them, if they are on", () => {
  const asked = [{ role: "user" }];
  assert.deepEqual(toolFields(asked), { tools: TOOLS, tool_choice: "auto" });
  toolChoice.value = "none";
  assert.equal(toolFields(asked).tool_choice, "none");
  toolsOn.value = false;
  assert.deepEqual(toolFields(asked), {});
});

test("a model that has to call tools before it answers is free once they gave something", () => {
  toolChoice.value = "required";
  const choiceBehind = (role) => toolFields([{ role: "user" }, { role }]).tool_choice;
  assert.deepEqual(["user", "tool"].map(choiceBehind), ["required", "auto"]);
  toolChoice.value = "none";
  assert.equal(choiceBehind("tool"), "none");
});

for (const [text, problem] of [
  ["", "There are no tools."],
  ["{}", "Tools are a list in brackets, with one entry at least."],
  ["[]", "Tools are a list in brackets, with one entry at least."],
  ['[{"function": {"name": "f"}}, {"name": "g"}]', "Tool 2 has no function with a name."],
  ["[null]", "Tool 1 has no function with a name."],
]) {
  test(`what are no tools is told if they are on: ${text}`, () => {
    toolsText.value = text;
    assert.equal(toolsProblem.value, problem);
    assert.deepEqual([checkTools(), canAsk()], [false, false]);
    toolsOn.value = false;
    assert.equal(toolsProblem.value, "");
    assert.deepEqual([checkTools(), canAsk()], [true, true]);
  });
}

test("a reset turns off what is sent beside the options, and keeps its texts", () => {
  schemaOn.value = true;
  resetAll();
  assert.deepEqual([toolsOn.value, schemaOn.value, toolsText.value], [false, false, JSON.stringify(TOOLS)]);
});

test("examples can be used as they are", () => {
  for (const { text: tools } of TOOL_EXAMPLES) {
    toolsText.value = tools;
    assert.equal(toolsProblem.value, "");
  }
  for (const { text: schema } of SCHEMA_EXAMPLES) {
    assert.ok(["object", "array"].includes(JSON.parse(schema).type));
  }
});

test("only whole calls without a result wait for one", () => {
  const call = { id: "c", name: "f", arguments: "{}", result: null, totalMs: null };
  const cut = { ...call, arguments: '{"a": ' };
  const done = { ...call, result: "" };
  assert.deepEqual([call, cut, done].map(isWhole), [true, false, true]);
  assert.deepEqual(openCalls({ finish: "stop", toolCalls: [done, cut, call] }), [call]);
  assert.deepEqual(openCalls({ finish: null, toolCalls: [call] }), []);
  assert.deepEqual(openCalls({ finish: "stop" }), []);
});

test("JSON is shown as people read it, and other texts as they are", () => {
  assert.equal(shownJson('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(shownJson('{"a": '), '{"a": ');
  assert.equal(shownJson("1.0"), "1.0");
});
