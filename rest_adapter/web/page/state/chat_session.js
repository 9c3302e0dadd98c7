/** Asking the model, in the conversation in view; an answer goes on while another conversation is looked at. */

import { batch, signal } from "../../vendor/signals-core.js";
import { ApiError } from "../api.js";
import { Answer } from "./answer.js";
import { askingFor } from "./asking.js";
import { clock } from "./clock.js";
import { changeConversation, conversations, current, keepOriginal, tabs } from "./conversations.js";
import {
  indexOfMessage,
  joinAnswer,
  makeAnswer,
  makeQuestion,
  openCalls,
  withMessageFields,
  withMessagesFrom,
  withResults,
  withoutOldestTurn,
} from "./messages.js";
import { addNote } from "./notes.js";
import { canAsk } from "./sending.js";
import { checkServer } from "./server.js";
import { template, trimAnswer } from "./template.js";
import { errorWords } from "./words.js";

// No more than that is lost when the page is closed: then there is no time to save.
const SAVE_EVERY_MS = 1000;

/**
 * The answer that is being written, or null.
 *
 * @type {import("../../vendor/signals-core.js").Signal<null|{conversationId: string, messageId: string}>}
 */
export const running = signal(null);

/**
 * What has come of it, at most once per frame; the conversation gets it only now and then. null when idle.
 *
 * @type {import("../../vendor/signals-core.js").Signal<
 *   null|{messageId: string, text: string, tokens: import("./messages.js").TokenView[], reasoning?: string,
 *   reasoningMs?: number, toolCalls?: import("./messages.js").ToolCall[]}>}
 */
export const streaming = signal(null);

let active = null;

// Nobody waits for an answer in a conversation that was deleted, here or in another tab.
conversations.subscribe((listed) => {
  const { conversationId } = running.peek() ?? {};
  if (active?.isListed && !listed.some(({ id }) => id === conversationId)) {
    active.controller.abort();
  }
});

/**
 * Ask something.
 *
 * @param {string} text
 * @param {import("./pictures.js").ChosenPicture[]} [images]
 * @returns {Promise<boolean>} true when the answer has ended, in whatever way; false at once if nothing is asked,
 *   because there is nothing to ask, an answer is being written or the options cannot be sent
 */
export function send(text, images = []) {
  if (text.trim() === "" && images.length === 0) {
    return Promise.resolve(false);
  }
  images.forEach(keepOriginal);
  const messages = [makeQuestion(text, images), makeAnswer()];
  return run(messages[1], (conversation, now) =>
    withMessagesFrom(conversation, conversation.messages.length, messages, now),
  );
}

/**
 * End the answer that is being written; what has come of it stays.
 *
 * @returns {Promise<void>} when it has ended
 */
export async function stop() {
  active?.controller.abort();
  await active?.ended;
}

/**
 * Write the last answer again.
 *
 * @param {{truncates?: boolean}} [settings] whether the oldest part of what does not fit is left out
 * @returns {Promise<boolean>} as of `send`
 */
export function regenerate({ truncates = false } = {}) {
  const { messages } = current.peek();
  if (messages.length === 0) {
    return Promise.resolve(false);
  }
  const last = messages.at(-1);
  const answer = makeAnswer();
  return run(answer, (conversation, now) => {
    const at = indexOfMessage(conversation, last.id);
    return at < 0 ? null : withMessagesFrom(conversation, last.role === "user" ? at + 1 : at, [answer], now);
  }, truncates);
}

/**
 * Take the first question and its answer away, to make room. If the last answer was refused for want of it, it is asked
 * for again.
 *
 * @returns {Promise<boolean>} as of `regenerate`; false if nothing was taken away, or nothing is asked
 */
export async function removeOldestTurn() {
  if (running.peek()) {
    return false;
  }
  const { id, messages } = current.peek();
  const now = clock.wallTime();
  const changed = await changeConversation(id, (conversation) => withoutOldestTurn(conversation, now));
  return changed !== null && messages.at(-1)?.isTooLong === true && current.peek().id === id && regenerate();
}

/**
 * Ask something else instead of what was asked. What followed is dropped.
 *
 * @param {string} id of a message of the user
 * @param {string} text
 * @param {import("./pictures.js").Picture[]} [images] those of its pictures that stay; all without it
 * @returns {Promise<boolean>} as of `send`
 */
export function editMessage(id, text, images) {
  const edited = current.peek().messages.find((message) => message.id === id && message.role === "user");
  const kept = images ?? edited?.images ?? [];
  if (!edited || (text.trim() === "" && kept.length === 0)) {
    return Promise.resolve(false);
  }
  const messages = [makeQuestion(text, kept), makeAnswer()];
  return run(messages[1], (conversation, now) => {
    const at = indexOfMessage(conversation, id);
    return at < 0 ? null : withMessagesFrom(conversation, at, messages, now);
  });
}

/**
 * Ask for more of the last answer.
 *
 * @returns {Promise<boolean>} as of `send`
 */
export function continueAnswer() {
  const last = current.peek().messages.at(-1);
  if (last?.role !== "assistant") {
    return Promise.resolve(false);
  }
  return run(last, (conversation, now) => {
    const changed = withMessageFields(conversation, last.id, { finish: null, error: "" });
    return changed && { ...changed, updatedAt: now };
  });
}

/**
 * Say what the tools gave that the last answer calls, and ask for the next one.
 *
 * @param {string} id of the last message
 * @param {Record<string, string>} results by the id of the call, for every call that waits for one
 * @returns {Promise<boolean>} as of `send`
 */
export function giveResults(id, results) {
  const last = current.peek().messages.at(-1);
  const open = last?.id === id ? openCalls(last) : [];
  if (open.length === 0 || open.some((call) => results[call.id] === undefined)) {
    return Promise.resolve(false);
  }
  const answer = makeAnswer();
  return run(answer, (conversation, now) => {
    const at = indexOfMessage(conversation, id);
    const called = conversation.messages[at];
    return called ? withMessagesFrom(conversation, at, [withResults(called, results), answer], now) : null;
  });
}

/** Ask for `answer`, which `prepare` puts into the conversation; it may have a beginning. */
async function run(answer, prepare, truncates = false) {
  if (running.peek()) {
    addNote("info", "Another answer is still being written. Stop it, or wait for its end.");
    return false;
  }
  if (!canAsk()) {
    return false;
  }
  const { id } = current.peek();
  const writing = new Writing(id, answer, template.peek(), truncates);
  active = writing;
  batch(() => {
    running.value = { conversationId: id, messageId: answer.id };
    writing.publish();
  });
  writing.ended = writing.write(prepare);
  await writing.ended;
  return true;
}

/** One answer being written, from the question to the end. */
class Writing {
  controller = new AbortController();
  ended = null;
  // A new conversation is in the list only once it has a message.
  isListed = false;
  #conversationId;
  #before;
  #template;
  #truncates;
  #answer = new Answer();
  #savedAt = clock.now();
  #saving = null;
  #isSaving = false;
  #isFrameDue = false;

  constructor(conversationId, before, usedTemplate, truncates) {
    this.#conversationId = conversationId;
    this.#before = before;
    this.#template = usedTemplate;
    this.#truncates = truncates;
  }

  async write(prepare) {
    tabs.claim(this.#before.id);
    let outcome = { finish: "stop", error: "" };
    let bug = null;
    try {
      const now = clock.wallTime();
      const changed = changeConversation(this.#conversationId, (one) => prepare(one, now));
      this.isListed = true;
      const conversation = await changed;
      await this.#ask(conversation);
      outcome.finish = this.#answer.finish ?? "stop";
    } catch (error) {
      outcome = this.#outcomeOf(error);
      bug = outcome.finish === "error" && !(error instanceof ApiError) ? error : null;
    }
    await this.#end(outcome);
    if (bug) {
      throw bug;
    }
  }

  publish() {
    const { content, ...others } = this.#soFar();
    streaming.value = { messageId: this.#before.id, text: content, ...others };
  }

  async #ask(conversation) {
    const at = conversation ? indexOfMessage(conversation, this.#before.id) : -1;
    if (at < 0) {
      throw new ApiError("The conversation was changed or deleted in another tab.");
    }
    const { stream, body, take, refuse } = await askingFor(conversation, at, this.#template, this.#truncates);
    this.#answer = new Answer();
    try {
      for await (const event of stream(body, { signal: this.controller.signal })) {
        take(this.#answer, event);
        this.#publishSoon();
        this.#saveSoon();
      }
    } catch (error) {
      throw refuse(error);
    }
  }

  #publishSoon() {
    if (!this.#isFrameDue) {
      this.#isFrameDue = true;
      clock.onFrame(() => {
        this.#isFrameDue = false;
        if (active === this) {
          this.publish();
        }
      });
    }
  }

  /** Also if nothing more comes: the model may have stopped to think. */
  #saveSoon() {
    const delayMs = Math.max(0, this.#savedAt + SAVE_EVERY_MS - clock.now());
    this.#saving ??= clock.after(delayMs, () => {
      this.#saving = null;
      void this.#saveSoFar();
    });
  }

  #soFar(isWhole = false) {
    const joined = joinAnswer(this.#before, this.#answer);
    return this.#template.isOn ? trimAnswer(joined, isWhole) : joined;
  }

  async #saveSoFar() {
    if (this.#isSaving) {
      return;
    }
    this.#isSaving = true;
    this.#savedAt = clock.now();
    const saved = await this.#change(this.#soFar());
    this.#isSaving = false;
    if (!saved) {
      // Deleted meanwhile, or its question was edited in another tab: nobody waits for the answer.
      this.controller.abort();
    }
  }

  #change(fields, more = {}) {
    return changeConversation(this.#conversationId, (conversation) => {
      const changed = withMessageFields(conversation, this.#before.id, fields);
      return changed && { ...changed, ...more };
    });
  }

  #outcomeOf(error) {
    if (this.controller.signal.aborted) {
      return { finish: "stopped", error: "" };
    }
    const words = error instanceof ApiError ? errorWords(error) : `The page failed: ${error.message}`;
    if (error.isTooLong) {
      // What can be done is said where the answer would be.
      return { finish: "error", error: words, isTooLong: true };
    }
    addNote("error", words);
    checkServer();
    return { finish: "error", error: words };
  }

  async #end(outcome) {
    clock.cancel(this.#saving);
    const statistics = this.#answer.isEmpty ? this.#before.statistics : this.#answer.statistics();
    const forgotten = this.#before.isTooLong ? { isTooLong: false } : {};
    const fields = { ...this.#soFar(outcome.finish === "stop"), ...forgotten, ...outcome, statistics };
    let stored;
    batch(() => {
      // The conversation in view has the whole answer at the same moment as the stream is gone.
      stored = this.#change(fields, { updatedAt: clock.wallTime() });
      active = null;
      running.value = null;
      streaming.value = null;
    });
    await stored;
    tabs.release(this.#before.id);
  }
}
