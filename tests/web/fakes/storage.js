// localStorage or sessionStorage in memory; it can be full.

export class FakeStorage {
  isFull = false;
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, text) {
    if (this.isFull) {
      throw new DOMException("full", "QuotaExceededError");
    }
    this.#items.set(key, String(text));
  }
}
