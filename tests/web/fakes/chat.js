// Chats of the page with a server that answers by hand: what their tests begin with, and how they ask.

import assert from "node:assert/strict";

import "fake-indexeddb/auto";

import { FakeClock } from "./clock.js";
import { FakeServer, FakeStream } from "./server.js";
import { until } from "./wait.js";

export const time = new FakeClock().install();
const STATE = "../../../rest_adapter/web/page/state";
const { send, stop, streaming } = await import(`${STATE}/chat_session.js`);
const { current, newConversation } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { resetOptions } = await import(`${STATE}/options.js`);
const { model } = await import(`${STATE}/server.js`);
const { schemaOn } = await import(`${STATE}/schema.js`);
const { toolChoice, toolsOn } = await import(`${STATE}/tools.js`);
const { DEFAULT_TEMPLATE, setTemplate } = await import(`${STATE}/template.js`);
const { apiKey, keyRefused } = await import(`${STATE}/key.js`);

export const CHAT = "/v1/chat/completions";
export const COMPLETION = "/completion";
export const USAGE = { prompt_tokens: 30, completion_tokens: 2, total_tokens: 32 };
export let fake;
export let streams;

/** Before every test: nothing runs, nothing was asked or set. */
export async function beginTest() {
  await stop();
  fake = new FakeServer().install();
  streams = [];
  for (const path of [CHAT, COMPLETION]) {
    fake.on(path, (request) => {
      streams.push(new FakeStream());
      return streams.at(-1).response(request);
    });
  }
  resetOptions();
  setTemplate(DEFAULT_TEMPLATE);
  schemaOn.value = false;
  toolsOn.value = false;
  toolChoice.value = "auto";
  model.value = null;
  apiKey.value = "";
  keyRefused.value = false;
  newConversation();
  notes.value = [];
  // Frames that were due at the end of the last test.
  time.paint();
}

export const delta = (content, more = {}) => ({
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
  ...more,
});
export const end = (finish_reason) => ({ choices: [{ index: 0, delta: {}, finish_reason }] });
export const contents = () => current.value.messages.map(({ content }) => content);
export const last = () => current.value.messages.at(-1);

/** Starts with `begin`, and gives the request, its stream and the promise of the end. */
export async function start(begin, path = CHAT) {
  const ended = begin();
  const request = await fake.asked(path);
  return { ended, request, stream: streams.at(-1) };
}

/** Asks, and has it answered. */
export async function chat(question, answer, finish = "stop", begin = () => send(question)) {
  const { ended, stream, request } = await start(begin);
  stream.send(delta(answer), end(finish), { choices: [], usage: USAGE });
  stream.done();
  assert.equal(await ended, true);
  return request;
}

/** Sends text and waits until the page has it. */
export async function receive(stream, text, soFar = text, event = delta(text)) {
  stream.send(event);
  await until(() => time.nFrames > 0);
  time.paint();
  assert.equal(streaming.value.text, soFar);
}
