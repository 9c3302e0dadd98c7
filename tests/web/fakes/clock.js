// Time that passes when a test says so.

import { clock } from "../../../rest_adapter/web/page/state/clock.js";

export class FakeClock {
  nowMs = 0;
  #timers = new Map();
  #frames = [];
  #lastTimer = 0;

  /** Takes the place of the page's clock. */
  install() {
    Object.assign(clock, {
      now: () => this.nowMs,
      wallTime: () => 1_700_000_000_000 + this.nowMs,
      after: (delayMs, callback) => {
        this.#timers.set(++this.#lastTimer, { due: this.nowMs + delayMs, callback });
        return this.#lastTimer;
      },
      cancel: (timer) => void this.#timers.delete(timer),
      onFrame: (callback) => void this.#frames.push(callback),
    });
    return this;
  }

  /** The waits that are still to come, in milliseconds. */
  get waits() {
    return [...this.#timers.values()].map(({ due }) => due - this.nowMs);
  }

  advance(ms) {
    this.nowMs += ms;
    for (const [timer, { due, callback }] of [...this.#timers]) {
      if (due <= this.nowMs && this.#timers.delete(timer)) {
        callback();
      }
    }
  }

  get nFrames() {
    return this.#frames.length;
  }

  paint() {
    this.#frames.splice(0).forEach((callback) => callback());
  }
}
