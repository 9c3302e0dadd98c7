import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  CHAT,
  COMPLETION,
  USAGE,
  beginTest,
  chat,
  contents,
  delta,
  end,
  fake,
  last,
  start,
  time,
} from "./fakes/chat.js";
import { refusal } from "./fakes/server.js";
import { until } from "./fakes/wait.js";

const STATE = "../../rest_adapter/web/page/state";
const { giveResults, regenerate, send, streaming } = await import(`${STATE}/chat_session.js`);
const { current, readConversation } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { schemaOn, schemaProblem, schemaText } = await import(`${STATE}/schema.js`);
const { toolChoice, toolsOn, toolsProblem, toolsText } = await import(`${STATE}/tools.js`);
const { setTemplate } = await import(`${STATE}/template.js`);

beforeEach(beginTest);

const thought = (reasoning_content) => ({ choices: [{ index: 0, delta: { reasoning_content }, finish_reason: null }] });
const called = (...tool_calls) => ({ choices: [{ index: 0, delta: { tool_calls }, finish_reason: null }] });
const begun = (index, id, name) => called({ index, id, type: "function", function: { name, arguments: "" } });
const more = (index, text) => called({ index, function: { arguments: text } });
const asCall = (id, name, text) => ({ id, type: "function", function: { name, arguments: text } });

test("what is thought comes apart from the answer, with its time", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  stream.send(thought("Hm"));
  await until(() => time.nFrames > 0);
  time.advance(400);
  time.paint();
  assert.deepEqual(
    [streaming.value.text, streaming.value.reasoning, streaming.value.reasoningMs],
    ["", "Hm", 400],
  );
  stream.send(thought(", so"));
  await until(() => time.nFrames > 0);
  time.paint();
  time.advance(600);
  stream.send(delta("Fine."), end("stop"), { choices: [], usage: USAGE });
  stream.done();
  await ended;

  assert.deepEqual([last().content, last().reasoning, last().reasoningMs], ["Fine.", "Hm, so", 1000]);
  assert.equal(last().statistics.firstTokenMs, 0);
  const { body } = await chat("And you?", "Fine, too.");
  assert.deepEqual(body.messages[1], { role: "assistant", content: "Fine.", reasoning_content: "Hm, so" });
});

test("an answer without thinking and calls has no fields for them", async () => {
  await chat("Hello", "Fine.");

  assert.deepEqual(
    ["reasoning", "reasoningMs", "toolCalls"].filter((name) => name in last()),
    [],
  );
});

/** Asks, and has it answered with two calls of tools. */
async function beCalled() {
  const { ended, stream } = await start(() => send("Weather?"));
  stream.send(thought("I ask."), begun(0, "c1", "f"), more(0, '{"a"'));
  await until(() => time.nFrames > 0);
  time.paint();
  assert.equal(streaming.value.toolCalls[0].arguments, '{"a"');
  time.advance(250);
  stream.send(more(0, ": 1}"), begun(1, "c2", "g"), more(1, "{}"), end("tool_calls"), { choices: [], usage: USAGE });
  stream.done();
  await ended;
}

test("calls of tools are put together, and go on with their results", async () => {
  await beCalled();
  assert.deepEqual(last().toolCalls, [
    { id: "c1", name: "f", arguments: '{"a": 1}', result: null, totalMs: 250 },
    { id: "c2", name: "g", arguments: "{}", result: null, totalMs: 0 },
  ]);
  assert.deepEqual([last().content, last().finish], ["", "stop"]);
  const { id } = last();
  assert.equal(await giveResults(id, { c1: "one" }), false);
  assert.equal(await giveResults("other", { c1: "one", c2: "two" }), false);

  const { body } = await chat("", "Sunny.", "stop", () => giveResults(id, { c1: "one", c2: "two" }));

  assert.deepEqual(body.messages, [
    { role: "user", content: "Weather?" },
    {
      role: "assistant",
      content: null,
      reasoning_content: "I ask.",
      tool_calls: [asCall("c1", "f", '{"a": 1}'), asCall("c2", "g", "{}")],
    },
    { role: "tool", tool_call_id: "c1", content: "one" },
    { role: "tool", tool_call_id: "c2", content: "two" },
  ]);
  assert.deepEqual(contents(), ["Weather?", "", "Sunny."]);
  assert.deepEqual(await readConversation(current.value.id), current.value);
  assert.equal(await giveResults(id, { c1: "one", c2: "two" }), false);

  const again = await chat("", "Rainy.", "stop", regenerate);
  assert.deepEqual(again.body.messages, body.messages);
  assert.deepEqual(contents(), ["Weather?", "", "Rainy."]);
});

test("a call that nobody answered is not sent, and neither is an answer that holds nothing else", async () => {
  await beCalled();

  const { body } = await chat("Never mind.", "Fine.");

  assert.deepEqual(body.messages, [
    { role: "user", content: "Weather?" },
    { role: "user", content: "Never mind." },
  ]);
});

test("a call that was cut waits for no result", async () => {
  const { ended, stream } = await start(() => send("Weather?"));
  stream.send(begun(0, "c1", "f"), more(0, '{"a": '), end("length"), { choices: [], usage: USAGE });
  stream.done();
  await ended;

  assert.deepEqual([last().toolCalls[0].arguments, last().finish], ['{"a": ', "length"]);
  assert.equal(await giveResults(last().id, { c1: "one" }), false);
});

test("tools and the schema of answers are sent if they are on", async () => {
  const tools = [{ type: "function", function: { name: "f" } }];
  toolsText.value = JSON.stringify(tools);
  schemaText.value = '{"type": "object"}';
  const off = await chat("One", "1");
  assert.deepEqual(
    ["tools", "tool_choice", "response_format"].filter((name) => name in off.body),
    [],
  );
  toolsOn.value = true;
  toolChoice.value = "required";
  schemaOn.value = true;

  const { body } = await chat("Two", "2");

  assert.deepEqual([body.tools, body.tool_choice], [tools, "required"]);
  assert.deepEqual(body.response_format, {
    type: "json_schema",
    json_schema: { name: "answer", schema: { type: "object" } },
  });
});

test("what cannot be sent is told, and sends nothing", async () => {
  toolsText.value = "[";
  toolsOn.value = true;
  assert.equal(await send("One"), false);
  toolsOn.value = false;
  schemaText.value = "[]";
  schemaOn.value = true;
  assert.equal(await send("One"), false);

  assert.deepEqual(fake.requests, []);
  assert.match(notes.value[0].text, /^Tools: This is not JSON: .* Nothing was sent\./);
  assert.match(notes.value[1].text, /^JSON Schema: A schema is an object in braces\. Nothing was sent\./);
});

test("what the server refuses is told at its field until that is changed", async () => {
  schemaText.value = '{"type": "elephant"}';
  schemaOn.value = true;
  fake.on(CHAT, () => refusal(400, "response_format.json_schema.schema: /type is unknown"));
  await send("One");
  assert.equal(schemaProblem.value, "/type is unknown");
  schemaText.value = '{"type": "object"}';
  assert.equal(schemaProblem.value, "");
  schemaOn.value = false;

  toolsText.value = '[{"type": "function", "function": {"name": ""}}]';
  toolsOn.value = true;
  fake.on(CHAT, () => refusal(400, "tools[0].function.name: is empty"));
  await send("Two");
  assert.equal(toolsProblem.value, "Is empty");
});

test("a prompt template takes the schema and leaves tools out", async () => {
  setTemplate({ isOn: true });
  schemaText.value = '{"type": "object"}';
  schemaOn.value = true;
  toolsText.value = '[{"type": "function", "function": {"name": "f"}}]';
  toolsOn.value = true;

  const { ended, stream, request } = await start(() => send("One"), COMPLETION);
  stream.send({ content: "{}", stop: true });
  await ended;

  assert.deepEqual(request.body.json_schema, { type: "object" });
  assert.equal("tools" in request.body, false);
  assert.match(notes.value[0].text, /cannot hold tools/);
});
