// A generation: a stream of events, and the whole answer at its end.

import type { Accepted, Finished, GenerateResponse, PromptProgress } from "./gen/slotline/v1/generation_pb.js";
import { Channel, FinishReason as Reason } from "./gen/slotline/v1/generation_pb.js";
import type { Token, Usage } from "./gen/slotline/v1/tokens_pb.js";
import type { Message } from "./prompts.js";

/** What comes of a generation. `sequence` is the number of the continuation, from 0. */
export type GenerateEvent =
  /** The request got its slot; the first event. */
  | { readonly type: "accepted"; readonly accepted: Accepted }
  /** More of the prompt's tokens, if they were asked for. */
  | { readonly type: "prompt"; readonly tokens: readonly Token[] }
  /** How far the prompt is evaluated, if that was asked for. */
  | { readonly type: "progress"; readonly progress: PromptProgress }
  /** More text; not empty. */
  | { readonly type: "text"; readonly text: string; readonly sequence: number }
  /** More of what the model thinks before it answers, if output is parsed. */
  | { readonly type: "reasoning"; readonly text: string; readonly sequence: number }
  /** The beginning of a tool call, with its id and name, or more of its arguments, which are JSON text. */
  | {
      readonly type: "toolCall";
      readonly call: number;
      readonly id: string;
      readonly name: string;
      readonly arguments: string;
      readonly sequence: number;
    }
  /** A continuation ended. */
  | { readonly type: "finished"; readonly finished: Finished; readonly sequence: number };

/** `toolCalls` is `stop` behind tool calls, `cancelled` means that the server had to end it. */
export type FinishReason = "stop" | "length" | "cancelled" | "toolCalls" | "unknown";

const REASONS: Readonly<Record<number, FinishReason>> = {
  [Reason.STOP]: "stop",
  [Reason.LENGTH]: "length",
  [Reason.CANCELLED]: "cancelled",
  [Reason.TOOL_CALLS]: "toolCalls",
};

/** A call that the model makes. `arguments` is JSON text as the model wrote it; not whole if the answer was cut in it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** One of the continuations of a prompt. */
export interface Continuation {
  /** Everything that was generated; if output was parsed, the content of the answer. */
  readonly text: string;
  /** What the model thought, if output was parsed. */
  readonly reasoning: string;
  /** The calls that it makes, if output was parsed. */
  readonly toolCalls: readonly ToolCall[];
  /** Why it ended; `unknown` stands for the words of newer servers. */
  readonly finishReason: FinishReason;
  /** Records of the generated tokens, if they were asked for. */
  readonly tokens: readonly Token[];
  /** Its last message, with everything else. */
  readonly finished: Finished;
  /** This answer as a turn of a conversation, with which to go on. */
  readonly message: Message;
}

/** A whole answer: the first continuation, and what belongs to all of them. */
export interface Completion extends Continuation {
  readonly usage: Usage;
  readonly accepted: Accepted;
  /** All continuations, the first included. */
  readonly continuations: readonly Continuation[];
  /** Records of the prompt's tokens, if they were asked for. */
  readonly prompt: readonly Token[];
}

/**
 * A generation that runs: iterate once over its events, or over `text()` or `messages()`. Leaving the loop early ends it
 * on the server, and so do `cancel()` and the caller's signal. It starts with the iteration.
 */
export class Generation implements AsyncIterable<GenerateEvent> {
  readonly #open: (signal: AbortSignal) => AsyncIterable<GenerateResponse>;
  readonly #answer = new Answer();
  readonly #cancelled = new AbortController();
  #isTaken = false;

  /** @internal */
  constructor(open: (signal: AbortSignal) => AsyncIterable<GenerateResponse>) {
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerateEvent, void, undefined> {
    for await (const message of this.messages()) {
      yield* eventsOf(message);
    }
  }

  /** The text of the first continuation as it comes; no piece is empty. */
  async *text(): AsyncGenerator<string, void, undefined> {
    for await (const event of this) {
      if (event.type === "text" && event.sequence === 0) {
        yield event.text;
      }
    }
  }

  /**
   * The bare messages.
   *
   * @throws SlotlineError if the request is refused or fails, LostError if the stream breaks off, the reason of the
   * caller's signal if that is why it ends. After `cancel()` the iteration just ends.
   */
  async *messages(): AsyncGenerator<GenerateResponse, void, undefined> {
    if (this.#isTaken) {
      throw new Error("a generation can be iterated over only once");
    }
    this.#isTaken = true;
    try {
      for await (const message of this.#open(this.#cancelled.signal)) {
        this.#answer.add(message);
        yield message;
      }
    } catch (error) {
      if (!this.#cancelled.signal.aborted) {
        throw error;
      }
    } finally {
      // Whoever leaves the loop early does not want the rest.
      this.cancel();
    }
  }

  /** Ends the request; iterating ends too. Harmless after the end. */
  cancel(): void {
    this.#cancelled.abort();
  }

  /** Everything about the answer: the rest of the stream is read first. Fails as the iteration does. */
  async completion(): Promise<Completion> {
    if (!this.#isTaken) {
      for await (const _ of this.messages());
    }
    return this.#answer.completion();
  }
}

/** The events of a message; none for those of newer servers that this client does not know. */
function* eventsOf({ event }: GenerateResponse): Generator<GenerateEvent, void, undefined> {
  switch (event.case) {
    case "accepted":
      yield { type: "accepted", accepted: event.value };
      break;
    case "prompt":
      yield { type: "prompt", tokens: event.value.tokens };
      break;
    case "progress":
      yield { type: "progress", progress: event.value };
      break;
    case "finished":
      yield { type: "finished", finished: event.value, sequence: event.value.index };
      break;
    case "delta": {
      const sequence = event.value.index;
      for (const { text, channel } of event.value.pieces) {
        if (text !== "") {
          yield { type: channel === Channel.REASONING ? "reasoning" : "text", text, sequence };
        }
      }
      for (const { call, id, name, arguments: more } of event.value.toolDeltas) {
        yield { type: "toolCall", call, id, name, arguments: more, sequence };
      }
    }
  }
}

/** What has been seen of one continuation so far. */
class Sequence {
  text = "";
  reasoning = "";
  readonly calls = new Map<number, { id: string; name: string; arguments: string }>();
  readonly tokens: Token[] = [];
  finished: Finished | undefined;

  add(event: GenerateEvent): void {
    if (event.type === "text" || event.type === "reasoning") {
      this[event.type] += event.text;
    } else if (event.type === "toolCall") {
      const call = this.calls.get(event.call);
      if (call === undefined) {
        this.calls.set(event.call, { id: event.id, name: event.name, arguments: event.arguments });
      } else {
        call.arguments += event.arguments;
      }
    } else if (event.type === "finished") {
      this.finished = event.finished;
    }
  }

  continuation(): Continuation {
    const finished = this.finished!;
    const toolCalls = [...this.calls.entries()].sort(([one], [other]) => one - other).map(([, call]) => ({ ...call }));
    const { text, reasoning, tokens } = this;
    const finishReason = REASONS[finished.reason] ?? "unknown";
    return { text, reasoning, toolCalls, tokens, finishReason, finished, message: turn(text, reasoning, toolCalls) };
  }
}

/** What has been seen of a stream so far. */
class Answer {
  readonly #sequences = new Map<number, Sequence>();
  readonly #prompt: Token[] = [];
  #accepted: Accepted | undefined;
  #usage: Usage | undefined;

  add(message: GenerateResponse): void {
    if (message.event.case === "delta") {
      this.#sequence(message.event.value.index).tokens.push(...message.event.value.pieces.flatMap((one) => one.tokens));
    }
    for (const event of eventsOf(message)) {
      if (event.type === "accepted") {
        this.#accepted = event.accepted;
      } else if (event.type === "prompt") {
        this.#prompt.push(...event.tokens);
      } else if (event.type !== "progress") {
        this.#sequence(event.sequence).add(event);
        this.#usage = event.type === "finished" ? (event.finished.usage ?? this.#usage) : this.#usage;
      }
    }
  }

  completion(): Completion {
    if (this.#accepted === undefined || this.#usage === undefined) {
      throw new Error("the answer is not complete: iterate to the end first");
    }
    const numbered = [...this.#sequences.entries()].sort(([one], [other]) => one - other);
    const continuations = numbered.map(([, sequence]) => sequence.continuation());
    const [usage, accepted, prompt] = [this.#usage, this.#accepted, this.#prompt];
    return { ...continuations[0]!, usage, accepted, continuations, prompt };
  }

  #sequence(index: number): Sequence {
    let sequence = this.#sequences.get(index);
    if (sequence === undefined) {
      sequence = new Sequence();
      this.#sequences.set(index, sequence);
    }
    return sequence;
  }
}

function turn(text: string, reasoning: string, toolCalls: readonly ToolCall[]): Message {
  const calls = toolCalls.map(({ id, name, arguments: all }) => {
    return { id, type: "function", function: { name, arguments: all } } as const;
  });
  return {
    role: "assistant",
    content: text || (calls.length > 0 ? null : ""),
    ...(reasoning !== "" && { reasoning }),
    ...(calls.length > 0 && { toolCalls: calls }),
  };
}
