/** What the tabs of this browser tell each other about conversations. */

import { clock } from "./clock.js";

const CHANNEL = "slotline";
const PATIENCE_MS = 500;

/** A tab among others. Where browsers have no channel between tabs, it is alone. */
export class Tabs {
  #channel = null;
  #claimed = new Set();
  #asked = new Map();
  #hear;

  /** @param {(told: {kind: "changed"|"deleted", id: string}) => void} hear what other tabs did to a conversation */
  constructor(hear) {
    this.#hear = hear;
    if (globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel(CHANNEL);
      this.#channel.onmessage = (event) => this.#receive(event.data ?? {});
      // In Node, an open channel would keep the process alive.
      this.#channel.unref?.();
    }
  }

  /**
   * @param {"changed"|"deleted"} kind
   * @param {string} id of the conversation
   */
  tell(kind, id) {
    this.#channel?.postMessage({ kind, id });
  }

  /**
   * From now on this tab writes an answer.
   *
   * @param {string} messageId
   */
  claim(messageId) {
    this.#claimed.add(messageId);
  }

  /** @param {string} messageId */
  release(messageId) {
    this.#claimed.delete(messageId);
  }

  /**
   * Whether any tab writes an answer. A tab that was closed does not reply.
   *
   * @param {string} messageId
   * @returns {Promise<boolean>}
   */
  isClaimed(messageId) {
    if (this.#claimed.has(messageId) || !this.#channel) {
      return Promise.resolve(this.#claimed.has(messageId));
    }
    const asked = this.#asked.get(messageId) ?? this.#ask(messageId);
    return asked.replied;
  }

  /** Leave the channel. */
  close() {
    this.#channel?.close();
    this.#channel = null;
  }

  #ask(messageId) {
    const question = {};
    question.replied = new Promise((resolve) => {
      const timer = clock.after(PATIENCE_MS, () => question.settle(false));
      question.settle = (isClaimed) => {
        clock.cancel(timer);
        this.#asked.delete(messageId);
        resolve(isClaimed);
      };
    });
    this.#asked.set(messageId, question);
    this.#channel.postMessage({ kind: "asking", id: messageId });
    return question;
  }

  #receive({ kind, id }) {
    if (kind === "asking") {
      if (this.#claimed.has(id)) {
        this.#channel.postMessage({ kind: "writing", id });
      }
    } else if (kind === "writing") {
      this.#asked.get(id)?.settle(true);
    } else {
      this.#hear({ kind, id });
    }
  }
}
