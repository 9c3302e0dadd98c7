// The official OpenAI client of npm against a core that says what tests/integration/test_rest_adapter_responses.py wants.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.SLOTLINE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const tools = [
  { type: "function", name: "weather", parameters: { type: "object" } },
  { type: "custom", name: "patch" },
];

test("a stream with reasoning, text and calls is joined", async () => {
  const stream = client.responses.stream({ model: "any", input: "Weather?", tools });
  let thought = "";
  stream.on("response.reasoning_text.delta", (event) => (thought += event.delta));
  const answer = await stream.finalResponse();
  assert.equal(thought, "Two calls.");
  assert.equal(answer.output_text, "I look it up.");
  const [reasoning, , call, custom] = answer.output;
  assert.equal(reasoning.content[0].text, thought);
  assert.deepEqual(JSON.parse(call.arguments), { city: "Київ" });
  assert.equal(custom.input, "+a\nЯ");
});
