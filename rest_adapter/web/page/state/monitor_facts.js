/** What the monitor shows, computed from the answers of GET /metrics and GET /slots. */

import { histogram, histogramSince, labelsOfOne, metricValue, parseMetrics, quantile } from "../text/prometheus.js";

/** How far back the monitor looks, in milliseconds. */
export const SPAN_MS = 5 * 60 * 1000;

const OUTCOMES = ["stop", "length", "cancelled", "failed"];
const PHASES = ["model", "sampling", "other"];
// Longer texts are cut here, so that a table of 64 slots holds no 64 prompts.
const PROMPT_START = 120;

/**
 * @typedef {object} Reading one answer of GET /metrics; a fact that it does not tell is null
 * @property {number} atMs when it came
 * @property {number | null} startTimeS when the core started, in seconds since 1970
 * @property {{generated: number | null, prompt: number | null, cached: number | null}} tokens since start
 * @property {Object<string, number>} requests that are over, by outcome
 * @property {Object<string, number>} phases seconds of the engine's steps, by what they were spent on
 */

/**
 * Read an answer of GET /metrics.
 *
 * @param {string} text
 * @param {number} atMs
 * @returns {Reading}
 */
export function readMetrics(text, atMs) {
  const metrics = parseMetrics(text);
  const value = (name) => metricValue(metrics, name);
  return {
    atMs,
    startTimeS: value("slotline_start_time_seconds"),
    coreState: labelsOfOne(metrics, "slotline_core_state")?.state ?? null,
    model: labelsOfOne(metrics, "slotline_model_info"),
    loadRatio: value("slotline_model_load_ratio"),
    nSlots: value("slotline_slots"),
    nProcessing: value("slotline_slots_processing") ?? value("llamacpp:requests_processing"),
    nWaiting: value("slotline_queue_depth") ?? value("llamacpp:requests_deferred"),
    queueLimit: value("slotline_queue_limit"),
    kvCells: value("slotline_kv_cells"),
    kvCellsUsed: value("slotline_kv_cells_used"),
    kvTokens: value("slotline_kv_tokens") ?? value("llamacpp:kv_cache_tokens"),
    kvRatio: value("llamacpp:kv_cache_usage_ratio"),
    savedPrompts: value("slotline_saved_prompts"),
    savedBytes: value("slotline_saved_bytes"),
    tokens: { ...tokensSoFar(metrics), cached: value("slotline_cached_prompt_tokens_total") },
    requests: byLabel(metrics, "slotline_requests_total", "outcome", OUTCOMES),
    phases: byLabel(metrics, "slotline_engine_seconds_total", "phase", PHASES),
    queueTime: histogram(metrics, "slotline_queue_seconds"),
    firstToken: histogram(metrics, "slotline_time_to_first_token_seconds"),
    betweenTokens: histogram(metrics, "slotline_inter_token_seconds"),
  };
}

/**
 * Tokens per second between two readings.
 *
 * @param {Reading} before
 * @param {Reading} after
 * @returns {{fromMs: number, atMs: number, generated: number | null, prompt: number | null}}
 */
export function sampleBetween(before, after) {
  const seconds = (after.atMs - before.atMs) / 1000;
  const start = isRestarted(before, after) ? { generated: 0, prompt: 0 } : before.tokens;
  const rate = (name) => perSecond(start[name], after.tokens[name], seconds);
  return { fromMs: before.atMs, atMs: after.atMs, generated: rate("generated"), prompt: rate("prompt") };
}

/**
 * Whether the core was started anew between two readings, so that its counters began again.
 *
 * @param {Reading} before
 * @param {Reading} after
 * @returns {boolean}
 */
export function isRestarted(before, after) {
  const fell = (one, other) => one !== null && other !== null && other < one;
  return (
    before.startTimeS !== after.startTimeS ||
    fell(before.tokens.cached, after.tokens.cached) ||
    fell(before.tokens.generated, after.tokens.generated)
  );
}

/**
 * What happened between two readings, or since the start of the core if it was started anew between them.
 *
 * @param {Reading} before
 * @param {Reading} after
 * @returns {{firstToken: object | null, betweenTokens: object | null, queueTime: object | null, busy: number | null,
 *   phases: Object<string, number> | null}} distributions as {median, high, count} in seconds, `high` at 95%; `busy` is
 *   the part of the time in which the engine worked, `phases` the parts of that
 */
export function activity(before, after) {
  const start = isRestarted(before, after) ? null : before;
  const seconds = (after.atMs - before.atMs) / 1000;
  const spent = PHASES.map((phase) => Math.max(0, (after.phases[phase] ?? 0) - (start?.phases[phase] ?? 0)));
  const total = spent.reduce((sum, one) => sum + one, 0);
  return {
    firstToken: distribution(after.firstToken, start?.firstToken),
    betweenTokens: distribution(after.betweenTokens, start?.betweenTokens),
    queueTime: distribution(after.queueTime, start?.queueTime),
    busy: seconds > 0 && start !== null ? Math.min(1, total / seconds) : null,
    phases: total > 0 ? Object.fromEntries(PHASES.map((phase, index) => [phase, spent[index] / total])) : null,
  };
}

/**
 * One slot of GET /slots.
 *
 * @param {object} slot
 * @returns {{id: number, activity: "idle" | "prompt" | "generating", taskId: number | null, nGenerated: number,
 *   limit: number | null, nPrompt: number | null, nPromptDone: number | null, nCached: number | null,
 *   progress: number | null, promptStart: string}} a fact that the server does not tell is null
 */
export function slotFacts(slot) {
  const next = slot.next_token ?? {};
  const nGenerated = next.num_tokens_predicted ?? 0;
  const limit = next.n_remain >= 0 ? nGenerated + next.n_remain : null;
  const nPrompt = slot.n_prompt_tokens ?? null;
  const nPromptDone = slot.n_prompt_tokens_processed ?? null;
  const activity = slot.state === 0 ? "idle" : nGenerated > 0 ? "generating" : "prompt";
  const progress = { idle: null, generating: part(nGenerated, limit), prompt: part(nPromptDone, nPrompt) }[activity];
  return {
    id: slot.id,
    activity,
    taskId: slot.task_id >= 0 ? slot.task_id : null,
    nGenerated,
    limit,
    nPrompt,
    nPromptDone,
    nCached: slot.n_cached_tokens ?? null,
    progress,
    promptStart: promptStart(slot.prompt),
  };
}

function promptStart(prompt) {
  const text = Array.isArray(prompt) ? lastContent(prompt) : (prompt ?? "");
  const line = String(text).slice(0, 4 * PROMPT_START).replace(/\s+/g, " ").trim();
  return line.length > PROMPT_START ? `${line.slice(0, PROMPT_START)}\u2026` : line;
}

/** Of a conversation its newest message: the first is the same in all of them. */
function lastContent(items) {
  const message = items.findLast((item) => typeof item?.content === "string");
  if (message) return message.content;
  const text = items.find((item) => typeof item === "string");
  return text ?? (items.length > 0 ? `${items.length} token ids` : "");
}

/**
 * The counters of tokens that ended sequences report jump at their ends. The distributions are kept with every step,
 * so that sums over them grow while an answer does: every token is either a first one or follows another.
 */
function tokensSoFar(metrics) {
  const value = (name) => metricValue(metrics, name);
  const followers = value("slotline_inter_token_seconds_count");
  const firsts = value("slotline_time_to_first_token_seconds_count");
  const evaluated = value("slotline_batch_tokens_sum");
  if (followers === null || firsts === null || evaluated === null) {
    return { generated: value("llamacpp:tokens_predicted_total"), prompt: value("llamacpp:prompt_tokens_total") };
  }
  // A step of generation evaluates the last token and those tried ahead; it gives one token and those accepted.
  const drafted = value("slotline_drafted_tokens_total") ?? 0;
  const accepted = value("slotline_accepted_tokens_total") ?? 0;
  return { generated: firsts + followers, prompt: Math.max(0, evaluated - (followers - accepted) - drafted) };
}

function byLabel(metrics, name, label, values) {
  return Object.fromEntries(values.map((value) => [value, metricValue(metrics, name, { [label]: value }) ?? 0]));
}

function perSecond(before, after, seconds) {
  if (before === null || after === null || !(seconds > 0)) return null;
  return Math.max(0, after - before) / seconds;
}

function distribution(after, before) {
  if (after === null) return null;
  const observed = histogramSince(after, before ?? null);
  return { median: quantile(observed, 0.5), high: quantile(observed, 0.95), count: observed.count };
}

function part(done, total) {
  return done === null || !(total > 0) ? null : Math.min(1, done / total);
}
