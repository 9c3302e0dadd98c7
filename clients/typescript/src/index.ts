/**
 * A typed client for Slotline cores.
 *
 *     import { Client } from "slotline-client";
 *
 *     const client = new Client("127.0.0.1:50051");
 *     for await (const text of client.generate("Once upon a time", { maxTokens: 32 }).text()) {
 *       process.stdout.write(text);
 *     }
 *     client.close();
 *
 * What is missing here is in `slotline-client/v1`, the messages and services generated from the contract. A whole
 * `GenerateRequest` is taken wherever a prompt is.
 */
export { type CallerOptions, Client, type ClientOptions, type EmbedOptions, type RerankOptions, type TokenizeOptions } from "./client.js";
export { LostError, SlotlineError, type StatusName, type Violation } from "./errors.js";
export {
  type Completion,
  type Continuation,
  type FinishReason,
  type GenerateEvent,
  Generation,
  type ToolCall,
} from "./generation.js";
export type { GenerateOptions, Sampler, Tool } from "./options.js";
export { prefixKey } from "./prefix_key.js";
export { image, type Input, type Message, type MessageToolCall, type Part, type Prompt } from "./prompts.js";
export type { TlsOptions } from "./targets.js";
