// Pictures with the official clients of npm, against a running server whose projector sees colours.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const url = process.env.SLOTLINE_URL;
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const anthropic = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const data = await readFile(process.env.SLOTLINE_PICTURE, "base64");
const colour = process.env.SLOTLINE_COLOUR;
const question = "What is the color of the picture? Answer with one word.";
const greedy = { model: "any", max_tokens: 12, temperature: 0 };

function chatOf(...files) {
  const parts = files.map((file) => ({ type: "image_url", image_url: { url: `data:image/png;base64,${file}` } }));
  return [{ role: "user", content: [...parts, { type: "text", text: question }] }];
}

test("a chat with a data URL", async () => {
  const answer = await openai.chat.completions.create({ ...greedy, messages: chatOf(data) });
  assert.match(answer.choices[0].message.content, new RegExp(colour));
  assert.equal(answer.usage.prompt_tokens_details.image_tokens, 4);
});

test("a stream with a data URL", async () => {
  const stream = await openai.chat.completions.create({ ...greedy, messages: chatOf(data), stream: true });
  let text = "";
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
  }
  assert.match(text, new RegExp(colour));
});

test("a response", async () => {
  const content = [
    { type: "input_image", image_url: `data:image/png;base64,${data}`, detail: "auto" },
    { type: "input_text", text: question },
  ];
  const answer = await openai.responses.create({
    model: "any",
    input: [{ role: "user", content }],
    max_output_tokens: 12,
    temperature: 0,
  });
  assert.match(answer.output_text, new RegExp(colour));
});

test("a message", async () => {
  const picture = { type: "image", source: { type: "base64", media_type: "image/png", data } };
  const answer = await anthropic.messages.create({
    ...greedy,
    messages: [{ role: "user", content: [picture, { type: "text", text: question }] }],
  });
  assert.match(answer.content[0].text, new RegExp(colour));
});

test("a damaged picture is named", async () => {
  const request = openai.chat.completions.create({ ...greedy, messages: chatOf(data, data.slice(0, 80)) });
  await assert.rejects(request, (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "messages[0].content[1].image_url");
    return true;
  });
});
