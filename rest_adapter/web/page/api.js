/** The REST API of the server that the page came from. */

import { readEvents } from "./events.js";
import { apiKey, keyRefused, requestKey } from "./state/key.js";

const UNREACHABLE = "The server cannot be reached.";
const BROKEN_OFF = "The connection to the server broke off before the answer was complete.";

// What servers call a prompt that does not fit, as code or type.
const TOO_LONG = ["context_length_exceeded", "exceed_context_size_error"];

/** A request that the server did not answer as it should have. */
export class ApiError extends Error {
  /**
   * @param {string} message for the user to read
   * @param {object} [facts]
   * @param {number} [facts.status] HTTP status; 0 if there was no answer
   * @param {string} [facts.type] the API's word for the error, "" if it has none
   * @param {string} [facts.field] the field of the request that was refused, "" if it is not about one
   * @param {number|null} [facts.retryAfterS] seconds after which the same request may succeed
   * @param {boolean} [facts.isTooLong] whether what was asked does not fit into the context
   * @param {number|null} [facts.nPromptTokens] then, how many tokens it has
   * @param {number|null} [facts.nCtx] and how many fit
   */
  constructor(
    message,
    { status = 0, type = "", field = "", retryAfterS = null, isTooLong = false, nPromptTokens = null, nCtx = null } = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = type;
    this.field = field;
    this.retryAfterS = retryAfterS;
    this.isTooLong = isTooLong;
    this.nPromptTokens = nPromptTokens;
    this.nCtx = nCtx;
  }
}

/**
 * The JSON that a path holds. Where it needs a key, the user is asked, unless he has refused before.
 *
 * @param {string} path
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function getJson(path, { signal } = {}) {
  return readJson(await request(path, { signal }));
}

/**
 * The text that a path holds, as `getJson` gets it.
 *
 * @param {string} path
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>}
 * @throws {ApiError}
 */
export async function getText(path, { signal } = {}) {
  return readText(await request(path, { signal }));
}

/**
 * The JSON answer to a JSON body.
 *
 * @param {string} path
 * @param {object} body
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function postJson(path, body, { signal } = {}) {
  return readJson(await post(path, body, signal));
}

/**
 * The chunks of a chat answer. Leaving the loop, or an abort of the signal, closes the connection.
 *
 * @param {object} body of POST /v1/chat/completions
 * @param {{signal?: AbortSignal}} [options]
 * @returns {AsyncGenerator<any>}
 * @throws {ApiError} also for an error that the stream tells, and for one that ends too early
 */
export async function* streamChat(body, { signal } = {}) {
  let hasUsage = false;
  for await (const text of events("/v1/chat/completions", body, signal)) {
    if (text === "[DONE]") {
      return;
    }
    const chunk = parseEvent(text);
    hasUsage ||= Boolean(chunk.usage);
    yield chunk;
  }
  // Where the server was told not to say [DONE], the usage that was asked for is the last chunk.
  if (!hasUsage) {
    throw new ApiError(BROKEN_OFF);
  }
}

/**
 * The events of a completion, up to the one whose `stop` is true. Closes the connection as `streamChat` does.
 *
 * @param {object} body of POST /completion
 * @param {{signal?: AbortSignal}} [options]
 * @returns {AsyncGenerator<any>}
 * @throws {ApiError}
 */
export async function* streamCompletion(body, { signal } = {}) {
  for await (const text of events("/completion", body, signal)) {
    const event = parseEvent(text);
    yield event;
    if (event.stop) {
      return;
    }
  }
  throw new ApiError(BROKEN_OFF);
}

async function* events(path, body, signal) {
  const response = await post(path, { ...body, stream: true }, signal);
  try {
    yield* readEvents(response.body);
  } catch (error) {
    throw asApiError(error, BROKEN_OFF);
  }
}

function parseEvent(text) {
  let event;
  try {
    event = JSON.parse(text);
  } catch {
    throw new ApiError("The server sent an event that is not JSON.");
  }
  if (event === null || typeof event !== "object") {
    throw new ApiError("The server sent an event that is not a JSON object.");
  }
  if (event.error) {
    throw errorOf(event, { status: event.error.code });
  }
  return event;
}

function post(path, body, signal) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

async function request(path, init) {
  for (;;) {
    const key = apiKey.peek();
    const headers = key ? { ...init.headers, Authorization: `Bearer ${key}` } : init.headers;
    const response = await send(path, { ...init, headers });
    if (response.ok) {
      return response;
    }
    const error = await errorOfResponse(response);
    if (error.status !== 401 || !(await hasOtherKey(key, init))) {
      throw error;
    }
  }
}

/** Whether there is another key than the one that was refused; the user may be asked for it. */
async function hasOtherKey(key, { method, signal }) {
  if (apiKey.peek() !== key) {
    return true;
  }
  // The page asks for the state of the server all the time; what the user does not do himself must not nag.
  if (method !== "POST" && keyRefused.peek()) {
    return false;
  }
  return (await unlessAborted(requestKey(), signal)) !== null;
}

/** The promise's value; an abort throws as it does while the server is waited for. */
async function unlessAborted(promise, signal) {
  if (!signal) {
    return promise;
  }
  signal.throwIfAborted();
  let leave;
  const aborted = new Promise((_, reject) => {
    leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/**
 * A path with the query that asks for answers as llama.cpp's server gave them in 2024, which the page reads, whichever
 * shape is the server's default.
 */
export function inShape(path) {
  return `${path}${path.includes("?") ? "&" : "?"}shape=2024`;
}

async function send(path, init) {
  try {
    return await fetch(inShape(path), init);
  } catch (error) {
    throw asApiError(error, UNREACHABLE);
  }
}

async function readJson(response) {
  const text = await readText(response);
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("The server's answer is not JSON.", { status: response.status });
  }
}

async function readText(response) {
  try {
    return await response.text();
  } catch (error) {
    throw asApiError(error, BROKEN_OFF);
  }
}

/** Aborts stay what they are: they are no failure of the server. */
function asApiError(error, message) {
  if (error instanceof ApiError || error?.name === "AbortError" || error?.name === "TimeoutError") {
    return error;
  }
  return new ApiError(message);
}

async function errorOfResponse(response) {
  let body = null;
  try {
    body = JSON.parse(await response.text());
  } catch (error) {
    if (error?.name === "AbortError") {
      throw error;
    }
    // A proxy in between answers with pages.
  }
  return errorOf(body, { status: response.status, retryAfterS: readRetryAfter(response) });
}

function errorOf(body, { status, retryAfterS = null }) {
  const told = body?.error ?? {};
  const message = typeof told.message === "string" && told.message ? told.message : wordsFor(status, body);
  return new ApiError(message, {
    status: Number.isInteger(status) ? status : 500,
    type: typeof told.type === "string" ? told.type : "",
    isTooLong: TOO_LONG.includes(told.type) || TOO_LONG.includes(told.code),
    nPromptTokens: told.n_prompt_tokens,
    nCtx: told.n_ctx,
    field: readField(message, told.type),
    retryAfterS,
  });
}

function wordsFor(status, body) {
  if (status === 503 && body?.status === "loading model") {
    return "The server is loading its model.";
  }
  return `The server answered with the error ${status}.`;
}

/** The field that a message of the server begins with. */
function readField(message, type) {
  const [, field = ""] = type === "invalid_request_error" ? (/^([a-z_][\w.[\]]*): /.exec(message) ?? []) : [];
  return field;
}

function readRetryAfter(response) {
  const text = response.headers.get("Retry-After");
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}
