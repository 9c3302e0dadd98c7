// A server in the place of fetch: answers made by hand, and streams that come when a test says so.

export class FakeServer {
  /** Every request: {path, method, headers, body, signal}. */
  requests = [];
  #answers = new Map();
  #waiting = [];
  #nHeard = new Map();

  install() {
    globalThis.fetch = (path, init = {}) => this.#answer(path, init);
    return this;
  }

  /** From now on `answer` makes the response to a path; it gets the request. */
  on(path, answer) {
    this.#answers.set(path, answer);
  }

  /** Resolves with the first request to a path that no earlier call got, as soon as there is one. */
  asked(path) {
    const number = this.#nHeard.get(path) ?? 0;
    this.#nHeard.set(path, number + 1);
    const made = this.requestsTo(path)[number];
    return made ? Promise.resolve(made) : new Promise((resolve) => this.#waiting.push({ path, resolve }));
  }

  requestsTo(path) {
    return this.requests.filter((request) => request.path === path);
  }

  async #answer(url, init) {
    const path = withoutShape(url);
    const { method = "GET", headers = {}, signal } = init;
    const request = { path, method, headers, signal, body: init.body && JSON.parse(init.body) };
    signal?.throwIfAborted();
    this.requests.push(request);
    const answer = this.#answers.get(path);
    if (!answer) {
      throw new TypeError("fetch failed");
    }
    const first = this.#waiting.findIndex((one) => one.path === path);
    if (first >= 0) {
      this.#waiting.splice(first, 1)[0].resolve(request);
    }
    return unlessAborted(answer(request), signal);
  }
}

/** A body of server-sent events that a test writes. */
export class FakeStream {
  isCancelled = false;
  #controller;
  #signal = null;

  /** The response whose body this is; an abort of the request breaks it as a browser does. */
  response({ signal }) {
    this.#signal = signal;
    const body = new ReadableStream({
      start: (controller) => (this.#controller = controller),
      cancel: () => void (this.isCancelled = true),
    });
    signal?.addEventListener("abort", () => {
      this.isCancelled = true;
      this.#controller.error(signal.reason);
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
  }

  send(...events) {
    this.sendBytes(new TextEncoder().encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")));
  }

  sendBytes(bytes) {
    this.#controller.enqueue(bytes);
  }

  /** The last event of a chat, and the end. */
  done() {
    this.sendBytes(new TextEncoder().encode("data: [DONE]\n\n"));
    this.end();
  }

  end() {
    this.#controller.close();
  }

  breakOff() {
    this.#controller.error(new TypeError("network error"));
  }
}

export function json(body, status = 200, headers = {}) {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function refusal(status, message, type = "invalid_request_error", headers = {}) {
  return json({ error: { code: status, message, type } }, status, headers);
}

function unlessAborted(answer, signal) {
  if (!signal) {
    return answer;
  }
  return Promise.race([
    answer,
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  ]);
}

/** The path that was asked for, without the query for the shape that the page reads; all it asks must have it. */
export function withoutShape(url) {
  const path = url.replace(/[?&]shape=2024$/, "");
  if (path === url) {
    throw new Error(`${url} does not ask for the shape that the page reads`);
  }
  return path;
}
