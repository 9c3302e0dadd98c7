// completion.js against the server that SLOTLINE_URL names, in the very copy that it serves.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const api_url = process.env.SLOTLINE_URL;
const folder = await mkdtemp(join(tmpdir(), "slotline-web-"));
after(() => rm(folder, { recursive: true }));

const COUNT = { prompt: "1, 2, 3,", options: { n_predict: 8, temperature: 0, repeat_penalty: 1 } };

/** A module that the server serves, from a file so that Node can import it. */
async function served(path) {
  const response = await fetch(`${api_url}${path}`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("Content-Type"), /^(text|application)\/javascript/);
  const file = join(folder, path.replace(/\.js$/, ".mjs"));
  await writeFile(file, await response.text());
  return pathToFileURL(file).href;
}

const { llama, llamaComplete, llamaEventTarget, llamaModelInfo, llamaPromise } = await import(
  await served("/completion.js")
);
const { SchemaConverter } = await import(await served("/json-schema-to-grammar.mjs"));

/** What the server answers without a stream. */
async function plain(prompt, options) {
  const body = JSON.stringify({ prompt, ...options });
  const response = await fetch(`${api_url}/completion`, { method: "POST", body });
  assert.equal(response.status, 200);
  return response.json();
}

function grammarOf(schema, propOrder = {}) {
  const converter = new SchemaConverter(propOrder);
  converter.visit(schema, "");
  return converter.formatGrammar();
}

test("the generator yields the events and returns the text", async () => {
  const generator = llama(COUNT.prompt, COUNT.options, { api_url });
  const chunks = [];
  let step = await generator.next();
  for (; !step.done; step = await generator.next()) chunks.push(step.value.data);
  assert.equal(step.value, (await plain(COUNT.prompt, COUNT.options)).content);
  assert.match(step.value, /^ 4, 5, 6/);
  assert.deepEqual(
    chunks.map(({ stop }) => stop),
    [...Array(chunks.length - 1).fill(false), true],
  );
  assert.ok(chunks.every(({ slot_id }) => Number.isInteger(slot_id)));
  assert.deepEqual((await llamaModelInfo({ api_url })).stop, ["</s>"]);
});

test("characters of several bytes arrive whole", async () => {
  const options = { grammar: "root ::= [㐀-龯😀-😏]{8}", seed: 3, n_predict: 100 };
  const text = await llamaPromise("龍", options, { api_url });
  assert.match(text, /^[㐀-龯😀-😏]{8}$/u);
});

test("an event target tells about the whole run", async () => {
  const target = llamaEventTarget(COUNT.prompt, COUNT.options, { api_url });
  const seen = { message: [], generation_settings: [], timings: [] };
  for (const name of Object.keys(seen)) target.addEventListener(name, ({ detail }) => seen[name].push(detail));
  const content = await new Promise((resolve, reject) => {
    target.addEventListener("done", ({ detail }) => resolve(detail.content));
    target.addEventListener("error", ({ detail }) => reject(detail));
  });
  assert.equal(seen.message.map((data) => data.content).join(""), content);
  assert.deepEqual(seen.generation_settings.map(({ n_predict }) => n_predict), [8]);
  assert.deepEqual(seen.timings.map(({ predicted_n }) => predicted_n), [8]);
});

test("several prompts come to their ends, each under its number", async () => {
  const ends = [];
  for await (const { data } of llama(["1, 2, 3,", "A, B, C,"], { n_predict: 3 }, { api_url })) {
    if (data.stop) ends.push(data.index);
  }
  assert.deepEqual(ends.sort(), [0, 1]);
});

test("an abort frees the slot, also when nobody reads on", async () => {
  const controller = new AbortController();
  const params = { n_predict: -1, ignore_eos: true };
  const run = llamaPromise("Once", params, { api_url, controller });
  await busy(true);
  controller.abort();
  await assert.rejects(run, { name: "AbortError" });
  await busy(false);
  for await (const chunk of llama("Once", params, { api_url })) {
    assert.equal(chunk.data.stop, false);
    break;
  }
  await busy(false);
});

/** Wait until some slot works, or until none does. */
async function busy(wanted) {
  const deadline = AbortSignal.timeout(60_000);
  for (;;) {
    const health = await (await fetch(`${api_url}/health`, { signal: deadline })).json();
    if (health.slots_processing > 0 === wanted) return;
  }
}

test("a wrong option throws the server's message", async (t) => {
  t.mock.method(console, "error", () => {});
  await assert.rejects(llamaPromise("Hi", { n_predict: "many" }, { api_url }), ({ message, status, type }) => {
    assert.match(message, /n_predict/);
    return status === 400 && type === "invalid_request_error";
  });
  assert.equal(console.error.mock.callCount(), 1);
});

test("llamaComplete calls back with what the server sends", async (t) => {
  // Addresses are relative to the server, as they are for its pages.
  const realFetch = globalThis.fetch;
  t.mock.method(globalThis, "fetch", (url, options) => realFetch(new URL(url, api_url), options));
  let text = "";
  await llamaComplete({ ...COUNT.options, prompt: COUNT.prompt }, undefined, ({ data }) => {
    text += data.content;
  });
  assert.match(text, /^ 4, 5, 6/);
});

const CITY = { city: { enum: ["Paris", "Rome"] }, big: { type: "boolean" } };
const NODE = { properties: { next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } } };

for (const [kind, schema, pattern] of [
  ["an object", { type: "object", properties: CITY }, /^\{ ?"city" ?: ?"(Paris|Rome)" ?, ?"big" ?:/],
  ["an array", { type: "array", items: { const: 'é\n"\\' } }, /^\[/],
  ["alternatives", { oneOf: [{ type: "null" }, { const: { a: [1] } }, { properties: {} }] }, /^(null|\{)/],
  ["a number", { type: "number" }, /^-?[0-9]/],
  ["an integer", { type: "integer" }, /^-?[0-9]+/],
  ["a string", { type: "string" }, /^"/],
  ["a list of types", { type: ["null", "boolean"] }, /^(null|true|false) ?$/],
  ["anything", {}, /^[[{"0-9tfn-]/],
  ["a tree", { $ref: "#/$defs/node", $defs: { node: NODE } }, /^\{ ?"next"/],
]) {
  test(`the grammar of ${kind} is accepted, and gives JSON`, async () => {
    const grammar = grammarOf(schema, { city: 0 });
    const answer = await plain("Answer with JSON: ", { grammar, n_predict: 24, seed: 1 });
    assert.match(answer.content, pattern);
    if (answer.stopped_eos) JSON.parse(answer.content);
  });
}
