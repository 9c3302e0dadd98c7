// The servers of a client: how each is reached, and which is asked next if one refuses.

import { connect as connectSocket } from "node:net";

import { type CallOptions, Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { errorOf, type Failure } from "./errors.js";
import { rankedBy } from "./prefix_key.js";

/** What a client presents and expects on an encrypted connection, all in PEM. */
export interface TlsOptions {
  /** Certificates of the authorities that may sign the server's. Default those of Node.js. */
  readonly ca?: string | Uint8Array;
  /** The client's certificate, where the server demands one, ... */
  readonly cert?: string | Uint8Array;
  /** ... and its private key. */
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate must have, if it is not that of the address. */
  readonly serverName?: string;
}

/** What the connections of a client need. */
export interface ConnectionOptions {
  readonly tls: TlsOptions | boolean;
  readonly connectTimeoutMs: number;
}

/** The server must let clients ask whether it is still there so often. */
const PING_MS = 20_000;

/** One server. */
export class Target {
  readonly transport: Transport;
  readonly #session: Http2SessionManager;
  readonly #connectTimeoutMs: number;

  /**
   * @param address `host:port` or `unix:/path`.
   * @throws TypeError if it is neither.
   */
  constructor(
    readonly address: string,
    options: ConnectionOptions,
  ) {
    const url = urlOf(address, options.tls !== false);
    const pings = { pingIntervalMs: PING_MS, pingTimeoutMs: PING_MS };
    this.#session = new Http2SessionManager(url, pings, sessionOptions(address, options.tls));
    this.#connectTimeoutMs = options.connectTimeoutMs;
    this.transport = createGrpcTransport({ baseUrl: url, sessionManager: this.#session });
  }

  /** Connects if there is no connection. Fails if that takes too long, or the call is over before. */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    const limit = AbortSignal.timeout(this.#connectTimeoutMs);
    const over = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    let stop = (): void => {};
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(signal?.aborted ? signal.reason : new Error("no connection in time"));
      over.addEventListener("abort", stop);
    });
    try {
      over.throwIfAborted();
      if ((await Promise.race([this.#session.connect(), stopped])) === "error") {
        throw this.#session.error();
      }
    } catch (error) {
      if (signal?.aborted) {
        throw ConnectError.from(signal.reason, Code.Canceled);
      }
      throw new ConnectError(`${this.address}: ${wordsOf(error)}`, Code.Unavailable, undefined, undefined, error);
    } finally {
      over.removeEventListener("abort", stop);
      stopped.catch(() => {});
    }
  }

  /** Closes the connection; calls that are under way fail. */
  close(): void {
    this.#session.abort();
  }
}

/** The servers of a client. */
export class Targets {
  readonly #all: readonly Target[];
  #turn = 0;

  constructor(addresses: readonly string[], options: ConnectionOptions) {
    if (addresses.length === 0) {
      throw new TypeError("targets: there are none; give host:port, unix:/path or several of them");
    }
    this.#all = addresses.map((address) => new Target(address, options));
  }

  /** The order in which a call is offered to them: by its prefix key, or in turns without one. */
  inOrder(key = ""): Target[] {
    if (key !== "") {
      return rankedBy(key, this.#all);
    }
    const first = this.#turn++ % this.#all.length;
    return [...this.#all.slice(first), ...this.#all.slice(0, first)];
  }

  /**
   * Makes a call at the first server that takes it; each is asked once.
   *
   * @param make makes the call and returns its answer, or the failure if the next server may be asked.
   * @param endsAt when it is too late for another try, on the clock of `performance.now()`.
   * @throws SlotlineError the last refusal with the shortest time to wait, if all servers refuse.
   */
  async *call<T>(
    key: string,
    endsAt: number | undefined,
    make: (target: Target) => AsyncGenerator<T, Failure | undefined, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const refusals: Failure[] = [];
    for (const target of this.inOrder(key)) {
      const failure = yield* make(target);
      if (failure === undefined) {
        return;
      }
      refusals.push(failure);
      if (endsAt !== undefined && performance.now() >= endsAt) {
        break;
      }
    }
    const last = refusals.at(-1)!;
    const told = refusals.flatMap(({ facts }) => facts.retryAfterMs ?? []);
    throw errorOf({ ...last, facts: { ...last.facts, retryAfterMs: told.length > 0 ? Math.min(...told) : undefined } });
  }

  close(): void {
    this.#all.forEach((target) => target.close());
  }
}

/** Some errors of Node.js have a code and no message. */
function wordsOf(error: unknown): string {
  const words = error instanceof ConnectError ? error.rawMessage : error instanceof Error ? error.message : String(error);
  return words || String((error as NodeJS.ErrnoException).code);
}

/** The options of a call, without those that have no value. */
export function callOptions(headers: Headers, signal?: AbortSignal, timeoutMs?: number): CallOptions {
  return { headers, ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}

function urlOf(address: string, isEncrypted: boolean): string {
  // Unix sockets stay plain: nobody listens in between.
  if (address.startsWith("unix:")) {
    return "http://localhost";
  }
  if (!/^[^/\s]+:\d+$/.test(address)) {
    throw new TypeError(`targets: ${JSON.stringify(address)} is not host:port or unix:/path`);
  }
  return `${isEncrypted ? "https" : "http"}://${address}`;
}

function sessionOptions(address: string, tls: TlsOptions | boolean): object {
  if (address.startsWith("unix:")) {
    return { createConnection: () => connectSocket(address.slice("unix:".length)) };
  }
  const { serverName, ...pem } = typeof tls === "object" ? tls : {};
  return { ...pem, ...(serverName !== undefined && { servername: serverName }) };
}
