// Node without any package: what the documentation of llama.cpp's server showed in February 2024, and its stream.

import assert from "node:assert/strict";
import { test } from "node:test";

const url = process.env.SLOTLINE_URL;

test("a prompt by fetch, which calls the body plain text", async () => {
  const prompt = "Building a website can be done in 10 simple steps:";
  const response = await fetch(`${url}/completion`, {
    method: "POST",
    body: JSON.stringify({ prompt, n_predict: 32 }),
  });
  assert.equal(response.status, 200);
  const answer = await response.json();
  assert.ok(answer.content.length > 0);
  assert.equal(answer.prompt, prompt);
  assert.equal(answer.stop, true);
  assert.ok(answer.tokens_predicted <= 32);
});

test("a stream by fetch", async () => {
  const response = await fetch(`${url}/completion`, {
    method: "POST",
    body: JSON.stringify({ prompt: "1, 2, 3,", n_predict: 8, temperature: 0, repeat_penalty: 1, stream: true }),
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  let received = "";
  const decoder = new TextDecoder();
  for await (const part of response.body) received += decoder.decode(part, { stream: true });
  const events = received.split("\n\n");
  assert.equal(events.pop(), "");
  const answers = events.map((event) => JSON.parse(event.replace(/^data: /, "")));
  assert.deepEqual(
    answers.map((answer) => answer.stop),
    [...Array(answers.length - 1).fill(false), true],
  );
  assert.match(answers.map((answer) => answer.content).join(""), /^ 4, 5, 6/);
});
