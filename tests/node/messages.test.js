// The official Anthropic client of npm against a running server.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.SLOTLINE_URL, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const question = [{ role: "user", content: "What is the capital of Germany?" }];
// The client hands on what it has no name for.
const greedy = { model: "any", messages: question, max_tokens: 24, temperature: 0 };
const cities = ["Kyiv", "Lviv", "Odesa"];
const tool = {
  name: "get_weather",
  description: "The weather forecast for a city.",
  input_schema: {
    type: "object",
    properties: { city: { type: "string", enum: cities } },
    required: ["city"],
    additionalProperties: false,
  },
};
const forecast = [{ role: "user", content: "What is the weather in Kyiv?" }];
const asking = { model: "any", messages: forecast, tools: [tool], tool_choice: { type: "any" }, max_tokens: 128 };

test("an answer, and its tokens", async () => {
  const answer = await client.messages.create(greedy);
  assert.equal(answer.type, "message");
  assert.equal(answer.stop_reason, "end_turn");
  assert.match(answer.content[0].text, /Berlin/);
  assert.match(answer._request_id, /^req_/);
  const { input_tokens: counted } = await client.messages.countTokens({ model: "any", messages: question });
  assert.equal(answer.usage.input_tokens + answer.usage.cache_read_input_tokens, counted);
});

test("the stream helper", async () => {
  const stream = client.messages.stream(greedy);
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const whole = await stream.finalMessage();
  assert.equal(whole.content[0].text, text);
  assert.match(text, /Berlin/);
  assert.equal(whole.stop_reason, "end_turn");
  assert.ok(whole.usage.output_tokens > 0);
});

test("events in order", async () => {
  const kinds = [];
  for await (const event of await client.messages.create({ ...greedy, stream: true })) kinds.push(event.type);
  assert.deepEqual(kinds.slice(0, 2), ["message_start", "content_block_start"]);
  assert.deepEqual(kinds.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
});

for (const city of cities) {
  test(`a streamed call is the whole one, ${city}`, async () => {
    const messages = [{ role: "user", content: `What is the weather in ${city}?` }];
    const options = { ...asking, messages, temperature: 0 };
    // The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    await client.messages.create(options);
    const streamed = await client.messages.stream(options).finalMessage();
    const whole = await client.messages.create(options);
    for (const answer of [streamed, whole]) {
      assert.equal(answer.stop_reason, "tool_use");
      const calls = answer.content.filter((block) => block.type === "tool_use");
      assert.ok(calls.length > 0);
      for (const call of calls) assert.ok(cities.includes(call.input.city));
    }
    const inputs = (answer) => answer.content.map((block) => [block.type, block.name, block.input]);
    assert.deepEqual(inputs(streamed), inputs(whole));
  });
}

test("a call and its result go back", async () => {
  const asked = await client.messages.create({ ...asking, tool_choice: { type: "tool", name: "get_weather" } });
  const [call] = asked.content;
  const answer = await client.messages.create({
    ...asking,
    tool_choice: { type: "none" },
    messages: [
      ...forecast,
      { role: "assistant", content: asked.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "Clear, 20 degrees." }] },
    ],
  });
  assert.equal(answer.content[0].type, "text");
});

test("mistakes", async () => {
  await assert.rejects(client.messages.create({ ...greedy, tool_choice: { type: "any" } }), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.equal(error.error.error.type, "invalid_request_error");
    assert.match(error.message, /tool_choice/);
    assert.equal(error.requestID, error.error.request_id);
    return true;
  });
});
