/** An answer while it comes: its text, what was thought, calls of tools, its tokens, and the figures about it. */

import { clock } from "./clock.js";

const BYTE = /^byte: \\x[0-9a-f]{2}$/;

/** Collects the events of one request. Times count from its making. */
export class Answer {
  /** @type {string} */
  text = "";
  /** @type {import("./messages.js").TokenView[]} */
  tokens = [];
  /** @type {string} */
  reasoning = "";
  /** @type {import("./messages.js").ToolCall[]} */
  toolCalls = [];
  /** @type {"stop"|"length"|null} */
  finish = null;
  #startedAt = clock.now();
  #thinkingFrom = null;
  #thinkingTo = null;
  #callsFrom = [];
  #firstAt = null;
  #lastAt = null;
  #nEvents = 0;
  #counts = {};
  #rate = null;

  /**
   * Take a chunk of POST /v1/chat/completions.
   *
   * @param {any} chunk
   */
  takeChat(chunk) {
    const choice = chunk.choices?.[0];
    const delta = choice?.delta ?? {};
    // The second name is that of other servers.
    this.#think(delta.reasoning_content ?? delta.reasoning ?? "");
    this.#add(delta.content ?? "", chunk.completion_probabilities);
    for (const call of delta.tool_calls ?? []) {
      this.#call(call);
    }
    if (choice?.finish_reason) {
      this.finish = choice.finish_reason === "length" ? "length" : "stop";
    }
    if (chunk.usage) {
      this.#counts = {
        nTokens: chunk.usage.completion_tokens,
        nPromptTokens: chunk.usage.prompt_tokens,
        nCachedTokens: chunk.usage.prompt_tokens_details?.cached_tokens,
        nTruncatedTokens: chunk.usage.prompt_tokens_details?.truncated_tokens,
      };
    }
    this.#rate = chunk.timings?.predicted_per_second || this.#rate;
  }

  /**
   * Take an event of POST /completion.
   *
   * @param {any} event
   */
  takeCompletion(event) {
    // The last event repeats the probabilities of all others.
    this.#add(event.content ?? "", event.stop ? [] : event.completion_probabilities);
    if (event.stop) {
      this.finish = event.stopped_limit ? "length" : "stop";
      const { timings = {}, tokens_predicted, tokens_evaluated } = event;
      const nEvaluated = timings.prompt_n ?? tokens_evaluated;
      this.#counts = {
        nTokens: tokens_predicted,
        nPromptTokens: tokens_evaluated,
        nCachedTokens: tokens_evaluated - nEvaluated,
        nTruncatedTokens: event.truncated ? 0 : undefined,
      };
      this.#rate = timings.predicted_per_second || null;
    }
  }

  /** @returns {import("./messages.js").Statistics} the figures as far as they are known */
  statistics() {
    const { nTokens = this.#nEvents, nPromptTokens = null, nCachedTokens = null, nTruncatedTokens } = this.#counts;
    return {
      nTokens,
      nPromptTokens,
      nCachedTokens,
      tokensPerSecond: this.#rate ?? this.#measuredRate(nTokens),
      firstTokenMs: this.#firstAt === null ? null : this.#firstAt - this.#startedAt,
      totalMs: clock.now() - this.#startedAt,
      ...(nTruncatedTokens !== undefined && { nTruncatedTokens }),
    };
  }

  /** @returns {boolean} whether nothing has come yet */
  get isEmpty() {
    return this.#firstAt === null;
  }

  /** @returns {number|null} how long it thought, up to now if it still does; null if it did not */
  get reasoningMs() {
    return this.#thinkingFrom === null ? null : (this.#thinkingTo ?? clock.now()) - this.#thinkingFrom;
  }

  #think(text) {
    if (text !== "") {
      this.#count();
      this.#thinkingFrom ??= this.#lastAt;
      this.reasoning += text;
    }
  }

  #call({ index = 0, id, function: part = {} }) {
    this.#count();
    this.#endThinking();
    // Others may look at the list as it was.
    const known = this.toolCalls[index] ?? { id, name: part.name ?? "", arguments: "", result: null, totalMs: null };
    this.#callsFrom[index] ??= this.#lastAt;
    const call = {
      ...known,
      arguments: known.arguments + (part.arguments ?? ""),
      totalMs: this.#lastAt - this.#callsFrom[index],
    };
    this.toolCalls = index < this.toolCalls.length ? this.toolCalls.with(index, call) : [...this.toolCalls, call];
  }

  #endThinking() {
    if (this.#thinkingFrom !== null) {
      this.#thinkingTo ??= this.#lastAt;
    }
  }

  #count() {
    this.#lastAt = clock.now();
    this.#firstAt ??= this.#lastAt;
    this.#nEvents += 1;
  }

  #add(text, probabilities = []) {
    if (text === "") {
      return;
    }
    this.#count();
    this.#endThinking();
    this.text += text;
    if (probabilities.length > 0) {
      this.tokens.push(...splitTokens(probabilities, text));
    }
  }

  /** What comes before the first token is the prompt's time, not that of the tokens. */
  #measuredRate(nTokens) {
    const seconds = (this.#lastAt - this.#firstAt) / 1000;
    return nTokens > 1 && seconds > 0 ? (nTokens - 1) / seconds : null;
  }
}

/**
 * The tokens that a text is made of. Where they do not add up to it, because a character is made of several or a stop
 * text was cut off, one of them stands for the rest.
 *
 * @param {{content: string, probs: {tok_str: string, prob: number}[]}[]} entries
 * @param {string} text
 * @returns {import("./messages.js").TokenView[]}
 */
export function splitTokens(entries, text) {
  const tokens = [];
  let rest = text;
  for (const [i, { content, probs }] of entries.entries()) {
    const fits = content !== "" && rest.startsWith(content) && !BYTE.test(content);
    const isLast = i === entries.length - 1;
    if (!fits || isLast) {
      return rest === "" ? tokens : [...tokens, { text: rest, probs }];
    }
    tokens.push({ text: content, probs });
    rest = rest.slice(content.length);
  }
  return tokens;
}
