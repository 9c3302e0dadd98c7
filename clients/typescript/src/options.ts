// The options of a generation, and how they get into a request.

import { create, type JsonObject } from "@bufbuild/protobuf";

import { type PlainOptions, PLACES } from "./gen/plain_options.js";
import {
  ConstraintSchema,
  type GenerateRequest,
  type JsonStyle,
  JsonStyleSchema,
  OutputOptionsSchema,
  Overflow,
  ReasoningFormat,
  StopParamsSchema,
  CacheOptionsSchema,
} from "./gen/slotline/v1/generation_pb.js";
import {
  type ChatPrompt,
  ReasoningOptionsSchema,
  SystemPromptSchema,
  ToolMode,
  ToolPolicySchema,
} from "./gen/slotline/v1/prompt_pb.js";
import { PenaltyPromptSchema, SamplerType, SamplerTypeSchema, SamplingParamsSchema } from "./gen/slotline/v1/sampling_pb.js";
import { shown } from "./prompts.js";

/** A function that the model may call, in the shape of the OpenAI API. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON Schema of the arguments. */
    readonly parameters?: Readonly<Record<string, unknown>>;
  };
}

/** Names of samplers: `top_k`, `temperature` and so on. */
export type Sampler = Lowercase<Exclude<keyof typeof SamplerType, "UNSPECIFIED">>;

/**
 * Options of a generation; one that is absent takes the server's default. The server checks ranges, and refuses what is
 * out of them with a SlotlineError. There may be one of `grammar`, `jsonSchema`, `jsonObject`, `choice`, `regex` and
 * `lark`. Those from `tools` on are for conversations.
 */
export interface GenerateOptions extends PlainOptions {
  /** One text or several that end the answer, and are left out of it. */
  stop?: string | readonly string[];
  /** Tokens that end the answer, besides the model's own. */
  stopTokenIds?: readonly number[];
  /** From tokens, as ids or texts, to what is added to their logits; minus infinity bans a token. */
  logitBias?: ReadonlyMap<number | string, number>;
  /** Samplers in their order; none at all samples from the plain softmax. */
  samplers?: readonly Sampler[];
  /** Texts across which no repetition is seen by `dryMultiplier`; none at all lets repetitions be of any texts. */
  drySequenceBreakers?: readonly string[];
  /** A text or token ids that the penalties look at instead of the prompt. */
  penaltyPrompt?: string | readonly number[];
  /** GBNF, of which the rule named root is the whole answer. */
  grammar?: string;
  /** A JSON Schema that the answer obeys, as an object or as text. */
  jsonSchema?: string | Readonly<Record<string, unknown>>;
  /** Whether the answer is any JSON object. */
  jsonObject?: boolean;
  /** How JSON under `jsonSchema` or `jsonObject` is written. */
  jsonStyle?: Partial<Pick<JsonStyle, "whitespacePattern" | "disableAnyWhitespace" | "disableAdditionalProperties" | "lenient">>;
  /** Texts of which the answer is one. */
  choice?: readonly string[];
  /** A regular expression that the whole answer matches. */
  regex?: string;
  /** A grammar in the Lark dialect of llguidance, with a rule named start. */
  lark?: string;
  /** Text in front of every prompt of the server; an empty one removes it. */
  systemPrompt?: string;
  /** From numbers of LoRA adapters to their scales for this request; all others get 0, with an empty map all do. */
  lora?: ReadonlyMap<number, number>;
  /** Whether a prompt that does not fit is shortened instead of refused. */
  truncate?: boolean;
  /** Name or alias of the model. */
  model?: string;
  /** The caller's id of the request, which is echoed. */
  requestId?: string;
  /** Best-effort extras, never needed for correctness. */
  extra?: JsonObject;
  /** What the model may call. */
  tools?: readonly Tool[];
  /** Whether it calls them: not at all, if it wants to, or in any case. Default `auto`. */
  toolChoice?: "none" | "auto" | "required";
  /** Names of the tools that it may call; it sees the others, too. Default all. */
  allowedTools?: readonly string[];
  /** Whether an answer may make several calls. Default true. */
  parallelToolCalls?: boolean;
  /** Whether it thinks before it answers, where the chat template has a switch for that. */
  enableThinking?: boolean;
  /** How hard it thinks, in a word of the chat template: `low`, `medium`, `high`. */
  reasoningEffort?: string;
  /** Tokens of reasoning after which it is closed and the answer begins. Default no limit. */
  reasoningBudgetTokens?: number;
  /** Text that ends reasoning whose budget is used up. */
  reasoningBudgetMessage?: string;
  /** Leave out what the chat template has no switch or word for, instead of an error. Default false. */
  reasoningLenient?: boolean;
  /** Further variables for the chat template. */
  templateKwargs?: Readonly<Record<string, unknown>>;
  /** Whether the answer goes on with the last message, which is the assistant's. Default false. */
  continueFinalMessage?: boolean;
  /** Whether the opening of an assistant's turn is put behind the messages. Default true. */
  addGenerationPrompt?: boolean;
  /**
   * Whether reasoning, content and tool calls are told apart. Default true with `tools`, the three options behind them, a
   * budget or a format of reasoning, and in `chat`; else false: then the text is what the model wrote, markers included.
   */
  parseOutput?: boolean;
  /** Where reasoning goes if they are: apart from the text, into it with its markers, or both. Default `separate`. */
  reasoningFormat?: "separate" | "inline" | "both";
}

type Setters = { [Name in Exclude<keyof GenerateOptions, keyof PlainOptions>]-?: Setter<Name> };
type Setter<Name extends keyof GenerateOptions> = (
  request: GenerateRequest,
  value: NonNullable<GenerateOptions[Name]>,
) => void;

const TOOL_MODES = { none: ToolMode.NONE, auto: ToolMode.AUTO, required: ToolMode.REQUIRED };
const FORMATS = { separate: ReasoningFormat.SEPARATE, inline: ReasoningFormat.INLINE, both: ReasoningFormat.BOTH };
const SAMPLERS = Object.fromEntries(
  SamplerTypeSchema.values
    .filter(({ number }) => number !== SamplerType.UNSPECIFIED)
    .map(({ localName, number }) => [localName.toLowerCase(), number as SamplerType]),
);
/** Options that mean nothing unless the parts of an answer are told apart. */
const PARSED = [
  "tools",
  "toolChoice",
  "allowedTools",
  "parallelToolCalls",
  "reasoningBudgetTokens",
  "reasoningFormat",
] as const;

const SETTERS: Setters = {
  stop: (request, value) => (stopOf(request).texts = typeof value === "string" ? [value] : [...value]),
  stopTokenIds: (request, value) =>
    (stopOf(request).tokenIds = value.map((id, i) => whole(`stopTokenIds[${i}]`, id, 0, 0xffffffff))),
  logitBias: setLogitBias,
  samplers: (request, value) =>
    (samplingOf(request).samplers = {
      $typeName: "slotline.v1.SamplerList",
      samplers: value.map((name, i) => word(`samplers[${i}]`, name, SAMPLERS)),
    }),
  drySequenceBreakers: (request, value) =>
    (samplingOf(request).drySequenceBreakers = { $typeName: "slotline.v1.SequenceBreakers", texts: [...value] }),
  penaltyPrompt: (request, value) =>
    (samplingOf(request).penaltyPrompt = create(PenaltyPromptSchema, {
      source:
        typeof value === "string"
          ? { case: "text", value }
          : { case: "tokenIds", value: { ids: value.map((id, i) => whole(`penaltyPrompt[${i}]`, id, 0, 0xffffffff)) } },
    })),
  grammar: (request, value) => constrain(request, "grammar", { case: "gbnf", value }),
  jsonSchema: (request, value) =>
    constrain(request, "jsonSchema", {
      case: "jsonSchema",
      value: typeof value === "string" ? value : JSON.stringify(value),
    }),
  jsonObject: (request, value) => {
    if (value) {
      constrain(request, "jsonObject", { case: "jsonObject", value: { $typeName: "slotline.v1.JsonObject" } });
    }
  },
  jsonStyle: (request, value) => (constraintOf(request).jsonStyle = create(JsonStyleSchema, value)),
  choice: (request, value) =>
    constrain(request, "choice", { case: "choice", value: { $typeName: "slotline.v1.Choices", texts: [...value] } }),
  regex: (request, value) => constrain(request, "regex", { case: "regex", value }),
  lark: (request, value) => constrain(request, "lark", { case: "lark", value }),
  systemPrompt: (request, value) => (request.systemPrompt = create(SystemPromptSchema, { prompt: value })),
  lora: (request, value) =>
    (request.lora = {
      $typeName: "slotline.v1.LoraScales",
      scales: [...value].map(([id, scale]) => ({
        $typeName: "slotline.v1.LoraScale",
        id: whole("lora, adapter", id, 0, 0xffffffff),
        scale,
      })),
    }),
  truncate: (request, value) => (request.overflow = value ? Overflow.TRUNCATE : Overflow.REFUSE),
  model: (request, value) => (request.model = value),
  requestId: (request, value) => (request.requestId = value),
  extra: (request, value) => (request.extra = value),
  tools: (request, value) => (chatOf(request, "tools").toolsJson = JSON.stringify(value)),
  toolChoice: (request, value) => (policyOf(request, "toolChoice").mode = word("toolChoice", value, TOOL_MODES)),
  allowedTools: (request, value) => (policyOf(request, "allowedTools").allowedNames = [...value]),
  parallelToolCalls: (request, value) => (policyOf(request, "parallelToolCalls").parallel = value),
  enableThinking: (request, value) => (reasoningOf(request, "enableThinking").enabled = value),
  reasoningEffort: (request, value) => (reasoningOf(request, "reasoningEffort").effort = value),
  reasoningBudgetTokens: (request, value) =>
    (reasoningOf(request, "reasoningBudgetTokens").budgetTokens = whole("reasoningBudgetTokens", value, 0, 0xffffffff)),
  reasoningBudgetMessage: (request, value) => (reasoningOf(request, "reasoningBudgetMessage").budgetMessage = value),
  reasoningLenient: (request, value) => (reasoningOf(request, "reasoningLenient").lenient = value),
  templateKwargs: (request, value) =>
    (chatOf(request, "templateKwargs").templateKwargsJson = JSON.stringify(value)),
  continueFinalMessage: (request, value) => (chatOf(request, "continueFinalMessage").continueFinalMessage = value),
  addGenerationPrompt: (request, value) => (chatOf(request, "addGenerationPrompt").addGenerationPrompt = value),
  parseOutput: (request, value) => (outputOf(request).parseOutput = value),
  reasoningFormat: (request, value) => (outputOf(request).reasoningFormat = word("reasoningFormat", value, FORMATS)),
};

/** Sets the fields of a request whose prompt is set. */
export function setOptions(request: GenerateRequest, options: GenerateOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) {
      continue;
    }
    if (Object.hasOwn(PLACES, name)) {
      setPlain(request, name as keyof typeof PLACES, value);
    } else if (Object.hasOwn(SETTERS, name)) {
      (SETTERS[name as keyof Setters] as (request: GenerateRequest, value: unknown) => void)(request, value);
    } else {
      const known = [...Object.keys(PLACES), ...Object.keys(SETTERS)].join(", ");
      throw new TypeError(`unknown option ${shown(name)}; known are ${known}`);
    }
  }
  if (options.parseOutput === undefined && PARSED.some((name) => options[name] !== undefined)) {
    outputOf(request).parseOutput = true;
  }
}

function setPlain(request: GenerateRequest, name: keyof typeof PLACES, value: unknown): void {
  const { parent, kind } = PLACES[name];
  const parents = {
    "": () => request,
    stop: () => stopOf(request),
    sampling: () => samplingOf(request),
    output: () => outputOf(request),
    cache: () => (request.cache ??= create(CacheOptionsSchema)),
  };
  const message = parents[parent]() as unknown as Record<string, unknown>;
  message[name] = plain(name, kind, value);
}

function plain(name: string, kind: (typeof PLACES)[keyof typeof PLACES]["kind"], value: unknown): unknown {
  switch (kind) {
    case "unsigned":
      return whole(name, value, 0, 0xffffffff);
    case "integer":
      return whole(name, value, -(2 ** 31), 2 ** 31 - 1);
    case "number":
      return typeof value === "number" ? value : refuse(name, value, "a number");
    case "boolean":
      return typeof value === "boolean" ? value : refuse(name, value, "true or false");
    case "text":
      return typeof value === "string" ? value : refuse(name, value, "a text");
  }
}

function setLogitBias(request: GenerateRequest, value: ReadonlyMap<number | string, number>): void {
  samplingOf(request).logitBias = [...value].map(([token, bias]) => ({
    $typeName: "slotline.v1.LogitBias",
    target:
      typeof token === "string"
        ? { case: "text", value: token }
        : { case: "tokenId", value: whole("logitBias, token", token, 0, 0xffffffff) },
    bias,
  }));
}

function constrain(
  request: GenerateRequest,
  name: string,
  kind: NonNullable<GenerateRequest["constraint"]>["kind"],
): void {
  const constraint = constraintOf(request);
  if (constraint.kind.case !== undefined) {
    const other = constraint.kind.case === "gbnf" ? "grammar" : constraint.kind.case;
    throw new TypeError(`${name}: there is ${other} already; allowed is one constraint`);
  }
  constraint.kind = kind;
}

function chatOf(request: GenerateRequest, name: string): ChatPrompt {
  if (request.prompt.case !== "chat") {
    throw new TypeError(`${name}: is for conversations only; the prompt is ${request.prompt.case}, allowed are messages`);
  }
  return request.prompt.value;
}

function policyOf(request: GenerateRequest, name: string): NonNullable<ChatPrompt["toolPolicy"]> {
  return (chatOf(request, name).toolPolicy ??= create(ToolPolicySchema));
}

function reasoningOf(request: GenerateRequest, name: string): NonNullable<ChatPrompt["reasoning"]> {
  return (chatOf(request, name).reasoning ??= create(ReasoningOptionsSchema));
}

function constraintOf(request: GenerateRequest): NonNullable<GenerateRequest["constraint"]> {
  return (request.constraint ??= create(ConstraintSchema));
}

function stopOf(request: GenerateRequest): NonNullable<GenerateRequest["stop"]> {
  return (request.stop ??= create(StopParamsSchema));
}

function samplingOf(request: GenerateRequest): NonNullable<GenerateRequest["sampling"]> {
  return (request.sampling ??= create(SamplingParamsSchema));
}

function outputOf(request: GenerateRequest): NonNullable<GenerateRequest["output"]> {
  return (request.output ??= create(OutputOptionsSchema));
}

function whole(name: string, value: unknown, low: number, high: number): number {
  const isWhole = typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;
  return isWhole ? value : refuse(name, value, `a whole number from ${low} to ${high}`);
}

/** What a word stands for; throws a RangeError that names it and those that are known. */
export function word<T>(name: string, value: string, words: Readonly<Record<string, T>>): T {
  const known = Object.hasOwn(words, value) ? words[value] : undefined;
  return known ?? refuse(name, value, `one of ${Object.keys(words).join(", ")}`);
}

function refuse(name: string, value: unknown, allowed: string): never {
  throw new RangeError(`${name}: ${shown(value)} is not ${allowed}`);
}
