/**
 * Completions of this server for web pages, and for Node 18 or newer.
 *
 * Text as it is generated:
 *
 *     import { llama } from "/completion.js";
 *
 *     for await (const chunk of llama("Tell me a joke", { n_predict: 800 })) {
 *       document.body.append(chunk.data.content);
 *     }
 *
 * The same by events (`llamaEventTarget`), all of it at once (`llamaPromise`), by a callback (`llamaComplete`).
 * `llamaModelInfo` tells the model's settings.
 *
 * Node, or a page of another origin, says where the server is: `llama(prompt, {}, { api_url: "http://host:8080" })`.
 *
 * @module completion
 */

/**
 * Options of `POST /completion`, sent as they are, and the key for a server that wants one.
 *
 * @typedef {{
 *   [option: string]: unknown,
 *   api_key?: string,
 *   n_predict?: number,
 *   temperature?: number,
 *   stop?: string[],
 *   grammar?: string,
 *   n_probs?: number,
 * }} LlamaParams
 */

/**
 * Where to ask, and how to end it.
 *
 * @typedef {object} LlamaConfig
 * @property {AbortController} [controller] its abort() ends the generation. It is aborted in any case when the
 *   generation is over, so each generation needs one of its own.
 * @property {string} [api_url] what comes before `/completion` in the URL; "" by default, the origin of the page.
 */

/**
 * What an event holds. All but the first two come with the last event.
 *
 * @typedef {{
 *   [field: string]: unknown,
 *   content: string,
 *   stop: boolean,
 *   index?: number,
 *   generation_settings?: Record<string, unknown>,
 *   timings?: Record<string, number>,
 * }} LlamaData
 */

/** @typedef {{ data: LlamaData }} LlamaChunk */

/** @typedef {{ message: string, code?: number, type?: string }} Failure */

/** @type {LlamaParams} */
const DEFAULTS = { stream: true, n_predict: 500, temperature: 0.2, stop: ["</s>"] };

// What pages of old look for, to try again later.
const NO_SLOT = "slot unavailable";

/** @type {Map<string, Record<string, unknown>>} The settings last seen, by the server's URL. */
const knownSettings = new Map();

/**
 * Generate text, and yield what comes as it comes.
 *
 * Leaving the loop early ends the generation on the server, too.
 *
 * @param {string | unknown[]} prompt text, tokens, both mixed, or several prompts. The events of several prompts carry
 *   `data.index`, the number of theirs.
 * @param {LlamaParams} [params] defaults: stream true, n_predict 500, temperature 0.2, stop ["</s>"]
 * @param {LlamaConfig} [config]
 * @returns {AsyncGenerator<LlamaChunk, string, void>} its return value is the whole text
 * @throws {Error} with the server's message, and its `status` and `type`. An aborted generation throws an AbortError;
 *   all others are logged to the console as well.
 */
export async function* llama(prompt, params = {}, config = {}) {
  const controller = config.controller ?? new AbortController();
  const base = baseOf(config);
  let content = "";
  try {
    const body = { ...DEFAULTS, ...params, prompt };
    const response = await post(`${base}/completion`, body, params.api_key, controller.signal);
    for await (const data of answersIn(response)) {
      if (data.content) content += data.content;
      if (data.generation_settings) knownSettings.set(base, data.generation_settings);
      yield { data };
      // Of several prompts each has an end of its own.
      if (data.stop && data.index === undefined) break;
    }
  } catch (error) {
    if (!controller.signal.aborted) console.error("llama error:", error);
    throw error;
  } finally {
    controller.abort();
  }
  return content;
}

/**
 * Generate text, and be told by events:
 *
 *     const target = llamaEventTarget(prompt);
 *     target.addEventListener("message", ({ detail }) => document.body.append(detail.content));
 *
 * Events, each with a `detail`: `message` (the data of a chunk), `generation_settings` and `timings` (these objects,
 * when known), `done` ({content}, the whole text) or else `error` (the Error; its name is AbortError after an abort).
 *
 * @param {string | unknown[]} prompt
 * @param {LlamaParams} [params]
 * @param {LlamaConfig} [config]
 * @returns {EventTarget}
 */
export function llamaEventTarget(prompt, params = {}, config = {}) {
  const target = new EventTarget();
  const tell = (/** @type {string} */ name, /** @type {unknown} */ detail) => target.dispatchEvent(event(name, detail));
  const run = async () => {
    let content = "";
    for await (const { data } of llama(prompt, params, config)) {
      if (data.content) content += data.content;
      tell("message", data);
      if (data.generation_settings) tell("generation_settings", data.generation_settings);
      if (data.timings) tell("timings", data.timings);
    }
    tell("done", { content });
  };
  run().catch((error) => tell("error", error));
  return target;
}

/**
 * Generate text, and get all of it when it is complete.
 *
 * @param {string | unknown[]} prompt
 * @param {LlamaParams} [params]
 * @param {LlamaConfig} [config]
 * @returns {Promise<string>}
 */
export async function llamaPromise(prompt, params = {}, config = {}) {
  let content = "";
  for await (const { data } of llama(prompt, params, config)) {
    if (data.content) content += data.content;
  }
  return content;
}

/**
 * Generate text, and have a function called with each chunk.
 *
 * @deprecated `llama` does the same in a loop.
 * @param {LlamaParams & { prompt: string | unknown[] }} params options, and the prompt among them
 * @param {AbortController | undefined} controller see `LlamaConfig`
 * @param {(chunk: LlamaChunk) => void} callback
 * @returns {Promise<void>} resolves after the last chunk
 */
export async function llamaComplete(params, controller, callback) {
  for await (const chunk of llama(params.prompt, params, { controller })) callback(chunk);
}

/**
 * The generation settings of the last completion, or those that the server begins with (`GET /props`).
 *
 * @param {{ api_url?: string, api_key?: string }} [config]
 * @returns {Promise<Record<string, unknown>>}
 */
export async function llamaModelInfo(config = {}) {
  const base = baseOf(config);
  const known = knownSettings.get(base);
  if (known) return known;
  const response = await fetch(`${base}/props`, { headers: authorization(config.api_key) });
  if (!response.ok) throw await failureOf(response);
  const settings = (await response.json()).default_generation_settings;
  knownSettings.set(base, settings);
  return settings;
}

/** @param {{ api_url?: string }} config */
function baseOf(config) {
  return (config.api_url ?? "").replace(/\/+$/, "");
}

/**
 * @param {string | undefined} key
 * @returns {Record<string, string>}
 */
function authorization(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/**
 * @param {string} url
 * @param {object} body
 * @param {string | undefined} key
 * @param {AbortSignal} signal
 */
async function post(url, body, key, signal) {
  const headers = {
    Connection: "keep-alive",
    "Content-Type": "application/json",
    Accept: "text/event-stream",
    ...authorization(key),
  };
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body), headers, signal });
  if (!response.ok) throw await failureOf(response);
  return response;
}

/**
 * The objects that an answer holds, with or without a stream.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<LlamaData, void, void>}
 */
async function* answersIn(response) {
  if (response.headers.get("Content-Type")?.startsWith("application/json")) {
    const answer = await response.json();
    yield* answer.results ?? [answer];
    return;
  }
  for await (const line of linesIn(response)) {
    // Blank lines end events, which have one line each; lines that begin with a colon are comments.
    const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (name === "error") reportError(value);
    if (name !== "data" || value === "[DONE]") continue;
    const data = JSON.parse(value);
    if (data.error) throw errorOf(data.error);
    yield data;
  }
}

/**
 * @param {Response} response
 * @returns {AsyncGenerator<string, void, void>}
 */
async function* linesIn(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  // Characters and lines may be cut anywhere between two parts of what the network delivers.
  const decoder = new TextDecoder();
  let rest = "";
  for (let isOver = false; !isOver; ) {
    const { done, value } = await reader.read();
    isOver = done;
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split(/\r?\n/);
    rest = /** @type {string} */ (lines.pop());
    yield* lines;
  }
  if (rest) yield rest;
}

/**
 * An `error:` line, which servers of February 2024 sent: thrown if no slot was free, else only shown.
 *
 * @param {string} text
 */
function reportError(text) {
  const failure = parsed(text);
  const error = errorOf({ message: failure?.content ?? failure?.message ?? text });
  if (error.message === NO_SLOT) throw error;
  console.error(`llama error: ${error.message}`);
}

/**
 * @param {Response} response one whose status says that it failed
 * @returns {Promise<Error>}
 */
async function failureOf(response) {
  const text = await response.text();
  const { status } = response;
  // Proxies answer with pages, servers of February 2024 with plain text.
  const failure = parsed(text)?.error ?? { message: text.trim().slice(0, 200) || `the server answered ${status}` };
  return errorOf({ ...failure, code: status });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {Failure} failure */
function errorOf({ message, code, type }) {
  const text = String(message);
  return Object.assign(new Error(text.includes(NO_SLOT) ? NO_SLOT : text), { status: code, type });
}

/** @type {(name: string, detail: unknown) => Event} */
function event(name, detail) {
  // Node 18 has no CustomEvent.
  if (typeof CustomEvent === "undefined") return Object.assign(new Event(name), { detail });
  return new CustomEvent(name, { detail });
}
