// The client.

import {
  clone,
  create,
  type DescMessage,
  type DescMethodUnary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";

import { errorOf, type Failure, failureOf, LostError } from "./errors.js";
import { Health, type HealthCheckResponse_ServingStatus as ServingStatus } from "./gen/grpc/health/v1/health_pb.js";
import { EmbedRequestSchema } from "./gen/slotline/v1/embedding_pb.js";
import { RerankRequestSchema, Truncation } from "./gen/slotline/v1/rerank_pb.js";
import {
  type Accepted,
  type GenerateRequest,
  GenerateRequestSchema,
  type GenerateResponse,
  OutputOptionsSchema,
} from "./gen/slotline/v1/generation_pb.js";
import type { HealthResponse, Model, Slot } from "./gen/slotline/v1/model_pb.js";
import { InferenceService } from "./gen/slotline/v1/inference_service_pb.js";
import { ModelService } from "./gen/slotline/v1/model_service_pb.js";
import { TokenizeRequestSchema } from "./gen/slotline/v1/tokenization_pb.js";
import { type Completion, Generation } from "./generation.js";
import { type GenerateOptions, setOptions, word } from "./options.js";
import { prefixKey } from "./prefix_key.js";
import { chatPrompt, embedInput, type Input, type Message, type Prompt, requestFor } from "./prompts.js";
import { callOptions, Targets, type TlsOptions } from "./targets.js";

/** What a client needs to know besides the addresses. */
export interface ClientOptions {
  /** API key, sent as a bearer token. */
  readonly key?: string;
  /** Encrypts connections; `true` does it with the authorities of Node.js. Default false. Unix sockets stay plain. */
  readonly tls?: TlsOptions | boolean;
  /** Milliseconds that a call may take if it says nothing else. Default no limit. */
  readonly timeoutMs?: number;
  /** Milliseconds after which a server that does not take a connection counts as unreachable. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** -100 to 100; generations of higher priority start first and take slots from lower ones. Default 0. */
  readonly priority?: number;
  /** Whom the calls are for, one word; different ones share no caches and do not see each other's prompts. */
  readonly tenant?: string;
}

/** What every call may say. */
export interface CallerOptions {
  /** Ends the call on the server when it is aborted; the call fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds that the whole call may take, waiting and further servers included. Default the client's. */
  readonly timeoutMs?: number;
  /** Further metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a generation may say besides what it should be. */
export interface GenerateCallOptions extends CallerOptions {
  /** What balancers see of the prompt, at most 64 characters. Default the same for requests that begin alike. */
  readonly prefixKey?: string;
}

/** Options of `embed`. */
export interface EmbedOptions extends CallerOptions {
  /** Scale each vector to unit length. Default true. */
  readonly normalize?: boolean;
  /** Length of the vectors, for models trained for shortening. Default the model's. */
  readonly dimensions?: number;
  /** Name or alias of the model. */
  readonly model?: string;
}

/** Options of `rerank`. */
export interface RerankOptions extends CallerOptions {
  /** Put scores between 0 and 1. Default false: as the model gives them. */
  readonly normalize?: boolean;
  /** What is left out of documents that are too long beside the query. Default they are refused. */
  readonly truncation?: "end" | "start";
  /** Most tokens of a document. Default no limit. */
  readonly maxDocumentTokens?: number;
  /** Name or alias of the model. */
  readonly model?: string;
}

/** Options of `tokenize`. */
export interface TokenizeOptions extends CallerOptions {
  /** Add the tokens that the model puts around a text. Default false. */
  readonly addSpecial?: boolean;
  /** Recognise special tokens in the text. Default the server's. */
  readonly parseSpecial?: boolean;
  /** Name or alias of the model. */
  readonly model?: string;
}

/** Milliseconds for which output that is read at its end is collected: a message per token takes time from the model. */
const COLLECTED_MS = 500;

const TRUNCATIONS = { end: Truncation.END, start: Truncation.START };

/** A client of one core, or of several that serve the same model. Close it in the end: open connections keep a process. */
export class Client {
  readonly #targets: Targets;
  readonly #headers: Headers;
  readonly #timeoutMs: number | undefined;

  /**
   * @param targets `host:port` or `unix:/path`, one or several.
   * @throws TypeError if an address is neither.
   */
  constructor(targets: string | readonly string[], options: ClientOptions = {}) {
    const { tls = false, connectTimeoutMs = 10_000 } = options;
    this.#targets = new Targets(typeof targets === "string" ? [targets] : targets, { tls, connectTimeoutMs });
    this.#headers = headersOf(options);
    this.#timeoutMs = options.timeoutMs;
  }

  /** Continues a prompt. Nothing is sent before the result is iterated over. */
  generate(prompt: Prompt, options: GenerateOptions & GenerateCallOptions = {}): Generation {
    return this.#generation(generateRequest(prompt, options), options);
  }

  /**
   * Continues a prompt and waits for the whole answer. It comes in few messages, unless the request has a
   * `maxDeltaDelayMs` of its own.
   */
  complete(prompt: Prompt, options: GenerateOptions & GenerateCallOptions = {}): Promise<Completion> {
    return this.#generation(collected(generateRequest(prompt, options)), options).completion();
  }

  /** Answers a conversation and waits for the whole answer: content, reasoning and tool calls are told apart. */
  chat(messages: readonly Message[], options: GenerateOptions & GenerateCallOptions = {}): Promise<Completion> {
    return this.complete(messages, { parseOutput: true, ...options });
  }

  /** The vectors of texts, token ids, pictures or parts, in order. */
  async embed(inputs: readonly Input[], options: EmbedOptions = {}): Promise<number[][]> {
    if (typeof inputs === "string") {
      throw new TypeError("inputs: are a list; for one text give a list of one");
    }
    const { signal: _, timeoutMs: __, metadata: ___, ...others } = options;
    const request = create(EmbedRequestSchema, {
      inputs: inputs.map((input, i) => embedInput(`inputs[${i}]`, input)),
      ...others,
    });
    const answer = await this.call(InferenceService.method.embed, request, options);
    if (answer.embeddings.some((one) => one.tokenVectors.length > 0)) {
      throw new TypeError("each token has a vector (--pooling none); the answer of `call` has them as tokenVectors");
    }
    return answer.embeddings.map((one) => one.values);
  }

  /** How relevant documents are to a query, in their order; only for models that score pairs of texts. */
  async rerank(query: string, documents: readonly string[], options: RerankOptions = {}): Promise<number[]> {
    if (typeof documents === "string") {
      throw new TypeError("documents: are a list; for one text give a list of one");
    }
    const { signal: _, timeoutMs: __, metadata: ___, truncation, ...others } = options;
    const request = create(RerankRequestSchema, {
      query,
      documents: [...documents],
      truncation: truncation === undefined ? Truncation.UNSPECIFIED : word("truncation", truncation, TRUNCATIONS),
      ...others,
    });
    return (await this.call(InferenceService.method.rerank, request, options)).scores;
  }

  /** Token ids of a text, or of a conversation as the chat template writes it. */
  async tokenize(prompt: string | readonly Message[], options: TokenizeOptions = {}): Promise<number[]> {
    const { signal: _, timeoutMs: __, metadata: ___, ...others } = options;
    const input = typeof prompt === "string" ? { case: "text" as const, value: prompt } : conversation(prompt);
    const request = create(TokenizeRequestSchema, { input, ...others });
    return (await this.call(InferenceService.method.tokenize, request, options)).ids;
  }

  /** The text of token ids; `skipSpecial` leaves control tokens out, which is the default. */
  async detokenize(
    ids: readonly number[],
    options: CallerOptions & { readonly skipSpecial?: boolean } = {},
  ): Promise<string> {
    const { signal: _, timeoutMs: __, metadata: ___, ...others } = options;
    const request = { ids: [...ids], ...others };
    return (await this.call(InferenceService.method.detokenize, request, options)).text;
  }

  /** The served models. */
  async models(options: CallerOptions = {}): Promise<Model[]> {
    return (await this.call(ModelService.method.listModels, {}, options)).models;
  }

  /** One model, by its name or alias; without a name the served one. */
  async model(name = "", options: CallerOptions = {}): Promise<Model> {
    return (await this.call(ModelService.method.getModel, { name }, options)).model!;
  }

  /** State of the core: whether it is ready, slots, queue, KV cache. Of several, the first that answers. */
  async health(options: CallerOptions = {}): Promise<HealthResponse> {
    return this.call(ModelService.method.health, {}, options);
  }

  /** What every slot does. Of several cores, the first that answers. */
  async slots(options: CallerOptions = {}): Promise<Slot[]> {
    return (await this.call(ModelService.method.listSlots, {}, options)).slots;
  }

  /**
   * Standard health as it changes, the present state first, until the caller leaves the loop.
   *
   * @param service a service's name, `liveness`, or "" for the whole server.
   */
  async *watchHealth(service = "", options: CallerOptions = {}): AsyncGenerator<ServingStatus, void, undefined> {
    const left = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
    const target = this.#targets.inOrder()[0]!;
    try {
      await target.connect(signal);
      const call = callOptions(this.#headersFor(options.metadata), signal, options.timeoutMs);
      for await (const { status } of createClient(Health, target.transport).watch({ service }, call)) {
        yield status;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw errorOf(failureOf(error));
    } finally {
      left.abort();
    }
  }

  /** Any call of the contract that answers once, with the retries and the errors of this client. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallerOptions = {},
  ): Promise<MessageShape<O>> {
    const { signal } = options;
    const endsAt = this.#endOf(options);
    const headers = this.#headersFor(options.metadata);
    const answers = this.#targets.call("", endsAt, async function* (target): Attempts<MessageShape<O>> {
      try {
        await target.connect(signal);
        const left = millisecondsTo(endsAt);
        yield (await target.transport.unary(method, signal, left, headers, request)).message;
        return undefined;
      } catch (error) {
        signal?.throwIfAborted();
        const failure = failureOf(error);
        if (!failure.isElsewherePossible) {
          throw errorOf(failure);
        }
        return failure;
      }
    });
    return (await answers.next()).value as MessageShape<O>;
  }

  /** Closes the connections; calls that are under way fail. */
  close(): void {
    this.#targets.close();
  }

  #generation(request: GenerateRequest, options: GenerateCallOptions): Generation {
    const { signal, prefixKey } = options;
    return new Generation((cancelled) => {
      const either = signal ? AbortSignal.any([signal, cancelled]) : cancelled;
      return this.#stream(request, prefixKey, { ...options, signal: either });
    });
  }

  /** The messages of the first server that accepts the request. */
  #stream(
    request: GenerateRequest,
    key = prefixKey(request),
    options: CallerOptions,
  ): AsyncGenerator<GenerateResponse, void, undefined> {
    const { signal } = options;
    const endsAt = this.#endOf(options);
    const headers = this.#headersFor(options.metadata);
    if (key !== "") {
      headers.set("slotline-prefix-key", key);
    }
    return this.#targets.call(key, endsAt, async function* (target): Attempts<GenerateResponse> {
      const attempt = new Attempt(request, endsAt);
      try {
        await target.connect(signal);
        const call = callOptions(headers, signal, millisecondsTo(endsAt));
        for await (const message of createClient(InferenceService, target.transport).generate(request, call)) {
          attempt.see(message);
          yield message;
        }
      } catch (error) {
        signal?.throwIfAborted();
        return attempt.brokenOff(failureOf(error));
      }
      return attempt.isComplete ? undefined : attempt.brokenOff(failureOf(new Error("the stream ended too early")));
    });
  }

  /** When a call that begins now is over, on the clock of `performance.now()`. */
  #endOf({ timeoutMs = this.#timeoutMs }: CallerOptions): number | undefined {
    return timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  }

  #headersFor(metadata: CallerOptions["metadata"]): Headers {
    const headers = new Headers(this.#headers);
    Object.entries(metadata ?? {}).forEach(([name, value]) => headers.set(name, value));
    return headers;
  }
}

/** Answers of one server; the failure if another one may be asked. */
type Attempts<T> = AsyncGenerator<T, Failure | undefined, undefined>;

function millisecondsTo(endsAt: number | undefined): number | undefined {
  return endsAt === undefined ? undefined : Math.max(1, Math.ceil(endsAt - performance.now()));
}

/** Timers may end a little early. */
const CLOCK_MS = 5;

/** One try to have a request answered by one server. */
class Attempt {
  readonly #unfinished: Set<number>;
  #accepted: Accepted | undefined;

  constructor(
    request: GenerateRequest,
    readonly endsAt: number | undefined,
  ) {
    this.#unfinished = new Set(Array(request.numSequences ?? 1).keys());
  }

  get isComplete(): boolean {
    return this.#accepted !== undefined && this.#unfinished.size === 0;
  }

  see({ event }: GenerateResponse): void {
    if (event.case === "accepted") {
      this.#accepted = event.value;
    } else if (event.case === "finished") {
      this.#unfinished.delete(event.value.index);
    }
  }

  /** The failure, if another server may be asked; throws the error otherwise. */
  brokenOff(failure: Failure): Failure {
    if (this.#accepted === undefined) {
      if (failure.isElsewherePossible) {
        return failure;
      }
      throw errorOf(failure);
    }
    // Proxies have deadlines of their own.
    const isOver = this.endsAt !== undefined && performance.now() >= this.endsAt - CLOCK_MS;
    if (failure.isFromCore || (failure.facts.code === "DEADLINE_EXCEEDED" && isOver)) {
      throw errorOf(failure);
    }
    throw new LostError(failure.message, failure.facts, this.#accepted);
  }
}

function generateRequest(prompt: Prompt, given: GenerateOptions & GenerateCallOptions): GenerateRequest {
  const { signal: _, timeoutMs: __, metadata: ___, prefixKey: ____, ...options } = given;
  if (isMessage(prompt, GenerateRequestSchema)) {
    const [name] = Object.keys(options);
    if (name !== undefined) {
      throw new TypeError(`${name}: a GenerateRequest is complete; there are no options beside it`);
    }
    return prompt;
  }
  const request = requestFor(prompt);
  setOptions(request, options);
  return request;
}

/** The request of an answer that is read at its end: its output is collected, unless it says otherwise. */
function collected(request: GenerateRequest): GenerateRequest {
  if (request.output?.maxDeltaDelayMs !== undefined) {
    return request;
  }
  const copied = clone(GenerateRequestSchema, request);
  copied.output ??= create(OutputOptionsSchema);
  copied.output.maxDeltaDelayMs = COLLECTED_MS;
  return copied;
}

function conversation(messages: readonly Message[]): { case: "chat"; value: ReturnType<typeof chatPrompt> } {
  return { case: "chat", value: chatPrompt(messages) };
}

function headersOf({ key, priority, tenant }: ClientOptions): Headers {
  const headers = new Headers();
  if (key) {
    headers.set("authorization", `Bearer ${key}`);
  }
  if (priority) {
    headers.set("slotline-priority", String(priority));
  }
  if (tenant) {
    headers.set("slotline-tenant", tenant);
  }
  return headers;
}
