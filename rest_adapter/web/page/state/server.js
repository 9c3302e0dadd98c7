/** The server: its state, watched all the time, and its model. */

import { signal } from "../../vendor/signals-core.js";
import { getJson, inShape } from "../api.js";
import { clock } from "./clock.js";
import { apiKey } from "./key.js";

const POLL_READY_MS = 2000;
const POLL_OTHERWISE_MS = 500;
const PATIENCE_MS = 5000;

/**
 * The state of the server; `text` says it in one sentence.
 *
 * @type {import("../../vendor/signals-core.js").Signal<{
 *   phase: "connecting"|"loading"|"ready"|"unreachable"|"failed",
 *   slotsIdle: number, slotsProcessing: number, text: string}>}
 */
export const server = signal({ phase: "connecting", slotsIdle: 0, slotsProcessing: 0, text: "Connecting." });

/**
 * The model, null while it is not known. `id` is its whole name, `name` is short. Numbers that the server does not tell
 * are null.
 *
 * @type {import("../../vendor/signals-core.js").Signal<null|{
 *   id: string, name: string, nCtxTrain: number|null, nSlots: number|null, nCtxSlot: number|null, canSee: boolean,
 *   version: string|null, offers: {metrics: boolean|null, slots: boolean|null}}>}
 */
export const model = signal(null);

/** `default_generation_settings` of GET /props, or null while they are not known. */
export const serverDefaults = signal(null);

let isWatching = false;
let timer = null;
let stopFollowingKey = null;

/** Begin to watch the server, until `stopWatching`. */
export function startWatching() {
  if (isWatching) {
    return;
  }
  isWatching = true;
  globalThis.document?.addEventListener("visibilitychange", pollIfVisible);
  let lastKey = apiKey.peek();
  stopFollowingKey = apiKey.subscribe((key) => {
    if (key !== lastKey) {
      lastKey = key;
      if (server.peek().phase === "ready") {
        void loadModel();
      }
    }
  });
  void poll();
}

/** Leave the server alone. */
export function stopWatching() {
  isWatching = false;
  globalThis.document?.removeEventListener("visibilitychange", pollIfVisible);
  stopFollowingKey?.();
  clock.cancel(timer);
}

/** Ask for the state now, if it is watched: something failed. */
export function checkServer() {
  if (isWatching) {
    clock.cancel(timer);
    void poll();
  }
}

function pollIfVisible() {
  if (!globalThis.document.hidden) {
    checkServer();
  }
}

let lastPoll = 0;

async function poll() {
  const number = ++lastPoll;
  const state = await readHealth();
  // Another poll may have begun meanwhile, when the page came back into view.
  if (!isWatching || number !== lastPoll) {
    return;
  }
  const wasReady = server.peek().phase === "ready";
  publish(state);
  if (state.phase === "ready" && (!wasReady || model.peek() === null)) {
    void loadModel();
  }
  if (!globalThis.document?.hidden) {
    timer = clock.after(state.phase === "ready" ? POLL_READY_MS : POLL_OTHERWISE_MS, poll);
  }
}

/** Whoever shows the state need not do so again when nothing changed. */
function publish(state) {
  const shown = server.peek();
  if (Object.keys(state).some((name) => state[name] !== shown[name])) {
    server.value = state;
  }
}

/** GET /health needs no key, and tells the state of the server with its status, too. */
async function readHealth() {
  const given = new AbortController();
  const impatience = clock.after(PATIENCE_MS, () => given.abort());
  try {
    const response = await fetch(inShape("/health"), { signal: given.signal, cache: "no-store" });
    return stateOf(response.status, await response.json());
  } catch {
    return state("unreachable", "The server cannot be reached.");
  } finally {
    clock.cancel(impatience);
  }
}

function stateOf(status, body) {
  if (status === 200) {
    const { slots_idle: idle = 0, slots_processing: processing = 0 } = body;
    return state("ready", idle > 0 ? "Ready." : "Ready; all slots are busy.", idle, processing);
  }
  if (body?.status === "loading model") {
    return state("loading", "The server is loading its model.");
  }
  if (body?.status === "stalled") {
    return state("loading", "The server has stalled; it should start again soon.");
  }
  if (body?.status === "error") {
    return state("failed", "The server could not load its model.");
  }
  if (body?.status === "no slot available") {
    return state("loading", "The server is shutting down or starting again.");
  }
  return state("unreachable", `The server answered with the error ${status}.`);
}

function state(phase, text, slotsIdle = 0, slotsProcessing = 0) {
  return { phase, slotsIdle, slotsProcessing, text };
}

let loading = null;

/** One load at a time: while the user is asked for a key, polls go on. */
function loadModel() {
  loading ??= readModel().finally(() => (loading = null));
  return loading;
}

async function readModel() {
  const [models, props] = await Promise.allSettled([getJson("/v1/models"), getJson("/props?server")]);
  // What cannot be had now is asked for again when the server is ready the next time, or there is another key.
  const entry = models.value?.data?.[0];
  if (props.value) {
    serverDefaults.value = props.value.default_generation_settings ?? null;
  }
  if (typeof entry?.id === "string") {
    model.value = describe(entry, props.value ?? {});
  }
}

function describe(entry, props) {
  return {
    id: entry.id,
    name: shortName(entry.id),
    nCtxTrain: props.n_ctx_train ?? null,
    nSlots: props.total_slots ?? null,
    nCtxSlot: props.default_generation_settings?.n_ctx ?? null,
    canSee: props.modalities?.vision === true,
    version: props.build_info ?? null,
    offers: { metrics: props.endpoint_metrics ?? null, slots: props.endpoint_slots ?? null },
  };
}

function shortName(id) {
  return id.split(/[\\/]/).pop().replace(/\.gguf$/i, "") || id;
}
