// Tools and structured output with the official OpenAI client of npm against a running server.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.SLOTLINE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const cities = ["Kyiv", "Lviv", "Odesa"];
const tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather forecast for a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string", enum: cities } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const question = [{ role: "user", content: "What is the weather in Kyiv?" }];
const asking = {
  model: "any",
  messages: question,
  tools: [tool],
  tool_choice: "required",
  parallel_tool_calls: false,
  max_tokens: 128,
};

for (const city of cities) {
  test(`a streamed call is the whole one, ${city}`, async () => {
    const messages = [{ role: "user", content: `What is the weather in ${city}?` }];
    const options = { ...asking, messages, temperature: 0 };
    // The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    await client.chat.completions.create(options);
    const stream = client.chat.completions.stream(options);
    const calls = [];
    stream.on("tool_calls.function.arguments.done", (call) => calls.push([call.name, call.arguments]));
    const streamed = (await stream.finalChatCompletion()).choices[0];
    const whole = (await client.chat.completions.create(options)).choices[0];
    assert.equal(streamed.finish_reason, "tool_calls");
    assert.equal(calls.length, 1);
    for (const [name, text] of calls) {
      assert.equal(name, "get_weather");
      assert.ok(cities.includes(JSON.parse(text).city));
    }
    assert.deepEqual(
      whole.message.tool_calls.map((call) => [call.function.name, call.function.arguments]),
      calls,
    );
  });
}

test("the client runs a function and sends its result back", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "any",
    messages: question,
    seed: 1,
    max_tokens: 128,
    tools: [
      {
        type: "function",
        function: {
          ...tool.function,
          parse: JSON.parse,
          function: ({ city }) => {
            asked.push(city);
            return `It is sunny in ${city}.`;
          },
        },
      },
    ],
    tool_choice: { type: "function", function: { name: "get_weather" } },
  });
  await runner.done();
  assert.equal(asked.length, 1);
  assert.ok(cities.includes(asked[0]));
  const roles = runner.messages.map((message) => message.role);
  assert.deepEqual(roles.slice(0, 3), ["user", "assistant", "tool"]);
  assert.equal(runner.messages[2].tool_call_id, runner.messages[1].tool_calls[0].id);

  const answer = await client.chat.completions.create({
    model: "any",
    messages: runner.messages.slice(0, 3),
    tools: [tool],
    tool_choice: "none",
    seed: 1,
    max_tokens: 32,
  });
  assert.ok(answer.choices[0].message.content);
});

test("an answer by a schema", async () => {
  const schema = tool.function.parameters;
  const answer = await client.chat.completions.parse({
    model: "any",
    messages: [{ role: "user", content: "Name a city." }],
    response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
    seed: 1,
    max_tokens: 64,
  });
  assert.ok(cities.includes(answer.choices[0].message.parsed.city));
});
