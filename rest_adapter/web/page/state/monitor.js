/** What the server does, asked once a second while somebody looks: GET /metrics and GET /slots. */

import { batch, computed, effect, signal, untracked } from "../../vendor/signals-core.js";
import { getJson, getText } from "../api.js";
import { clock } from "./clock.js";
import { apiKey } from "./key.js";
import { SPAN_MS, activity, isRestarted, readMetrics, sampleBetween, slotFacts } from "./monitor_facts.js";
import { model, server } from "./server.js";

const PERIOD_MS = 1000;
// An answer may be long, or the server slow: no more than this part of the time is spent on asking.
const LARGEST_SHARE = 0.25;
// The averages of /metrics are of the time since somebody asked last; that stays as it is for those who scrape it.
const METRICS = "/metrics?keep_window";
const QUESTIONS = { metrics: (options) => getText(METRICS, options), slots: (options) => getJson("/slots?progress", options) };
const NOT_OFFERED = [404, 501];
const FAILURES = ["unreachable", "failed", "loading"];

const UNKNOWN = Object.freeze({ metrics: "unknown", slots: "unknown" });

/**
 * Whether the server tells its metrics and its slots: "off" as it was started, "denied" without a key.
 *
 * @type {import("../../vendor/signals-core.js").Signal<{
 *   metrics: "unknown"|"on"|"off"|"denied", slots: "unknown"|"on"|"off"|"denied"}>}
 */
export const access = signal(UNKNOWN);

/** The newest reading of the metrics, or null. @type {import("../../vendor/signals-core.js").Signal<object|null>} */
export const reading = signal(null);

/** The slots, or null while they are not known. @type {import("../../vendor/signals-core.js").Signal<object[]|null>} */
export const slots = signal(null);

/**
 * Tokens per second of the last five minutes, oldest first; what `sampleBetween` gives. Times are those of `clock.now`.
 *
 * @type {import("../../vendor/signals-core.js").Signal<object[]>}
 */
export const samples = signal([]);

/** Why the newest answers are missing, "" if they are not. */
export const problem = signal("");

const readings = signal([]);

/** What happened in the last five minutes, since the last start of the core; null before there is anything. */
export const recent = computed(() => {
  const all = readings.value;
  return reading.value !== null && all.length > 1 ? activity(all[0], all.at(-1)) : null;
});

// Until the model is known, nor is it known what the server offers.
const isReady = computed(() => server.value.phase === "ready" && model.value !== null);

let run = null;

/** Begin to ask, until `stopMonitor`. What is known from before stays in view. */
export function startMonitor() {
  if (run) return;
  run = new AbortController();
  follow(run);
  // The server may have been started anew while nobody looked.
  void poll(run, { asksAll: true });
}

/** Stop asking. */
export function stopMonitor() {
  run?.abort();
  run = null;
}

/** Asks for everything again with a new key, and when the server has come back: they may show what was not shown. */
function follow(current) {
  const key = apiKey.peek();
  let wasReady = isReady.peek();
  const unfollow = effect(() => {
    const isOther = apiKey.value !== key || (isReady.value && !wasReady);
    wasReady = isReady.value;
    if (isOther && run === current) untracked(restart);
  });
  current.signal.addEventListener("abort", unfollow);
}

function restart() {
  stopMonitor();
  startMonitor();
}

async function poll(current, { asksAll = false } = {}) {
  const startedMs = clock.now();
  const answers = await Promise.all(["metrics", "slots"].map((name) => ask(name, current, asksAll)));
  if (run !== current) return;
  publish(answers);
  const { metrics, slots: ofSlots } = access.peek();
  // What is off stays off until the server is started anew, and what is denied until there is another key.
  if ([metrics, ofSlots].every((one) => one === "off" || one === "denied")) return;
  const tookMs = clock.now() - startedMs;
  const timer = clock.after(Math.max(PERIOD_MS, tookMs / LARGEST_SHARE), () => {
    current.signal.removeEventListener("abort", cancel);
    void poll(current);
  });
  const cancel = () => clock.cancel(timer);
  current.signal.addEventListener("abort", cancel, { once: true });
}

/** One answer as `{state, value, problem}`; value is null without one. */
async function ask(name, current, asksAll) {
  const state = access.peek()[name];
  if (!asksAll && (state === "off" || state === "denied")) return { state, value: null, problem: "" };
  const { phase, text } = server.peek();
  // Metrics tell how far the model is loaded; everything else would be an error.
  if (!isReady.peek() && !(name === "metrics" && phase === "loading")) {
    return { state: "unknown", value: null, problem: FAILURES.includes(phase) ? text : "" };
  }
  // Browsers write every 404 into their console, expected or not.
  if (model.peek()?.offers[name] === false) return { state: "off", value: null, problem: "" };
  try {
    return { state: "on", value: await QUESTIONS[name]({ signal: current.signal }), problem: "" };
  } catch (error) {
    if (NOT_OFFERED.includes(error.status)) return { state: "off", value: null, problem: "" };
    if (error.status === 401) return { state: "denied", value: null, problem: "" };
    return { state: "unknown", value: null, problem: error.message };
  }
}

function publish(answers) {
  const [ofMetrics, ofSlots] = answers;
  const told = answers.map((answer) => answer.problem).find((text) => text) ?? "";
  batch(() => {
    // After a fault the server may be another one, which offers what the one before did not.
    access.value = told ? UNKNOWN : { metrics: ofMetrics.state, slots: ofSlots.state };
    problem.value = told;
    if (Array.isArray(ofSlots.value)) slots.value = ofSlots.value.map(slotFacts);
    else if (ofSlots.state !== "unknown") slots.value = null;
    if (ofMetrics.value !== null) addReading(readMetrics(ofMetrics.value, clock.now()));
    else if (ofMetrics.state !== "unknown") forgetMetrics();
  });
}

function addReading(latest) {
  const before = reading.peek();
  const isInSpan = (one) => one.atMs > latest.atMs - SPAN_MS;
  const earlier = before === null ? [] : readings.peek();
  readings.value = [...earlier.filter((one) => isInSpan(one) && !isRestarted(one, latest)), latest];
  reading.value = latest;
  if (before) samples.value = [...samples.peek().filter(isInSpan), sampleBetween(before, latest)];
}

function forgetMetrics() {
  reading.value = null;
  samples.value = [];
}
