// The Responses API with the official OpenAI client of npm against a running server.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.SLOTLINE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const cities = ["Kyiv", "Lviv", "Odesa"];
const tool = {
  type: "function",
  name: "get_weather",
  description: "The weather forecast for a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", enum: cities } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
};
// The best token of each step is well ahead, so that the last digits of logits decide about none.
const repeating = "Repeat after me: one two three four five six seven eight nine ten.";
const question = "What is the weather in Kyiv?";
const asking = { model: "any", input: question, tools: [tool], tool_choice: "required", max_output_tokens: 128 };

test("a streamed text is the whole one", async () => {
  const options = { model: "any", input: repeating, max_output_tokens: 32, temperature: 0 };
  // The first call evaluates the prompt, and the others continue its cells: these have the same logits.
  await client.responses.create(options);
  const stream = client.responses.stream(options);
  let text = "";
  stream.on("response.output_text.delta", (event) => {
    text += event.delta;
    assert.equal(event.snapshot, text);
  });
  const streamed = await stream.finalResponse();
  const whole = await client.responses.create(options);
  assert.ok(text.length > 0);
  assert.equal(streamed.output_text, text);
  assert.equal(whole.output_text, text);
  assert.equal(streamed.status, whole.status);
});

for (const city of cities) {
  test(`a streamed call is the whole one, ${city}`, async () => {
    const options = { ...asking, input: `What is the weather in ${city}?`, temperature: 0 };
    // The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    await client.responses.create(options);
    const streamed = await client.responses.stream(options).finalResponse();
    const whole = await client.responses.create(options);
    assert.equal(streamed.status, "completed");
    assert.ok(streamed.output.length > 0);
    for (const call of streamed.output) {
      assert.equal(call.type, "function_call");
      assert.ok(cities.includes(JSON.parse(call.arguments).city));
    }
    assert.deepEqual(
      whole.output.map((call) => call.arguments),
      streamed.output.map((call) => call.arguments),
    );
  });
}

test("the output of a call goes back", async () => {
  const asked = await client.responses.create({ ...asking, seed: 1, parallel_tool_calls: false });
  const [call] = asked.output;
  const answer = await client.responses.create({
    ...asking,
    input: [
      { role: "user", content: question },
      ...asked.output,
      { type: "function_call_output", call_id: call.call_id, output: "sunny" },
    ],
    tool_choice: "none",
    max_output_tokens: 32,
  });
  assert.ok(answer.output_text);
});

test("an answer by a schema", async () => {
  const answer = await client.responses.parse({
    model: "any",
    input: "Name a city.",
    text: { format: { type: "json_schema", name: "place", schema: tool.parameters, strict: true } },
    max_output_tokens: 64,
  });
  assert.ok(cities.includes(answer.output_parsed.city));
});

test("a mistake names the field", async () => {
  await assert.rejects(client.responses.create({ model: "any", input: "Hi", previous_response_id: "resp_1" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "previous_response_id");
    return true;
  });
});
