// What a prompt may be, and how it becomes a message.

import { readFile } from "node:fs/promises";

import { create, isMessage } from "@bufbuild/protobuf";

import { type EmbedInput, EmbedInputSchema } from "./gen/slotline/v1/embedding_pb.js";
import { type GenerateRequest, GenerateRequestSchema } from "./gen/slotline/v1/generation_pb.js";
import {
  type ChatMessage,
  ChatMessageSchema,
  type ChatPrompt,
  ChatPromptSchema,
  type Image,
  ImageSchema,
  type PromptPart,
  PromptPartSchema,
} from "./gen/slotline/v1/prompt_pb.js";

/** A piece of a prompt: a text, a picture, or token ids. */
export type Part = string | Image | readonly number[];

/** A call that a turn of the assistant made, in the shape of the OpenAI API. */
export interface MessageToolCall {
  readonly id: string;
  readonly type: "function";
  /** `arguments` is JSON text. */
  readonly function: { readonly name: string; readonly arguments: string };
}

/** One turn of a conversation. */
export interface Message {
  /** `system`, `user`, `assistant`, `tool`, or what else the model's template knows. */
  readonly role: string;
  /** Its text, or texts and pictures in their order; null where a turn of the assistant only calls tools. */
  readonly content?: string | readonly (string | Image)[] | null;
  /** Name of the speaker, where the template uses one. */
  readonly name?: string;
  /** Turns of the assistant: what it thought first. */
  readonly reasoning?: string;
  /** Turns of the assistant: the calls that it made. */
  readonly toolCalls?: readonly MessageToolCall[];
  /** Results of tools: the id of the call. */
  readonly toolCallId?: string;
}

/** A text, token ids, parts with pictures, the messages of a conversation, or a whole request. */
export type Prompt = string | readonly number[] | readonly Part[] | readonly Message[] | GenerateRequest;

/** What one vector is made of. */
export type Input = string | readonly number[] | readonly Part[] | Image;

const MESSAGE_KEYS = new Set(["role", "content", "name", "reasoning", "toolCalls", "toolCallId"]);

/**
 * A picture for messages, for prompts of parts, and for what is embedded. The file is sent as it is.
 *
 * @param source path of a PNG, JPEG, WebP, GIF or BMP file, or its bytes.
 * @throws an error of Node.js if the file cannot be read; RangeError if there are no bytes.
 */
export async function image(source: string | URL | Uint8Array): Promise<Image> {
  const data = source instanceof Uint8Array ? Uint8Array.from(source) : Uint8Array.from(await readFile(source));
  if (data.length === 0) {
    throw new RangeError("source: is empty; a picture is the bytes of a PNG, JPEG, WebP, GIF or BMP file");
  }
  return create(ImageSchema, { data });
}

/** A request for a prompt, without any options. */
export function requestFor(prompt: Exclude<Prompt, GenerateRequest>): GenerateRequest {
  if (typeof prompt === "string") {
    return create(GenerateRequestSchema, { prompt: { case: "text", value: prompt } });
  }
  if (!Array.isArray(prompt)) {
    throw new TypeError(`prompt: ${shown(prompt)} is not a text, token ids, parts, messages or a GenerateRequest`);
  }
  if (isConversation(prompt)) {
    return create(GenerateRequestSchema, { prompt: { case: "chat", value: chatPrompt(prompt) } });
  }
  const value = sequence("prompt", prompt as readonly (number | Part)[]);
  return create(GenerateRequestSchema, {
    prompt: "ids" in value ? { case: "tokenIds", value } : { case: "parts", value },
  });
}

/** Whether a list is messages. */
export function isConversation(prompt: readonly unknown[]): prompt is readonly Message[] {
  return prompt.length > 0 && prompt.every((one) => typeof one === "object" && one !== null && "role" in one);
}

/** A conversation. */
export function chatPrompt(messages: readonly Message[]): ChatPrompt {
  return create(ChatPromptSchema, { messages: messages.map((one, i) => chatMessage(`messages[${i}]`, one)) });
}

/** What one vector is made of. */
export function embedInput(where: string, input: Input): EmbedInput {
  if (typeof input === "string") {
    return create(EmbedInputSchema, { content: { case: "text", value: input } });
  }
  if (isImage(input)) {
    return create(EmbedInputSchema, { content: { case: "parts", value: { parts: [part(where, input)] } } });
  }
  const value = sequence(where, input);
  return create(EmbedInputSchema, {
    content: "ids" in value ? { case: "tokenIds", value } : { case: "parts", value },
  });
}

/** Token ids, or parts. */
function sequence(where: string, items: readonly (number | Part)[]): { ids: number[] } | { parts: PromptPart[] } {
  if (items.every((item) => typeof item === "number")) {
    return { ids: items.map((id, i) => tokenId(`${where}[${i}]`, id)) };
  }
  if (items.every((item) => typeof item === "string")) {
    throw new TypeError(`${where}: ${shown(items)} is several texts, not one prompt; join them`);
  }
  return { parts: items.map((item, i) => part(`${where}[${i}]`, item)) };
}

function part(where: string, value: number | Part): PromptPart {
  if (typeof value === "string") {
    return create(PromptPartSchema, { part: { case: "text", value } });
  }
  if (isImage(value)) {
    return create(PromptPartSchema, { part: { case: "image", value } });
  }
  if (Array.isArray(value)) {
    const ids = value.map((id: number, i) => tokenId(`${where}[${i}]`, id));
    return create(PromptPartSchema, { part: { case: "tokenIds", value: { ids } } });
  }
  throw new TypeError(`${where}: ${shown(value)} is not a text, a picture made by image(), or token ids`);
}

function chatMessage(where: string, message: Message): ChatMessage {
  const unknown = Object.keys(message).find((key) => !MESSAGE_KEYS.has(key));
  if (unknown !== undefined) {
    throw new TypeError(`${where}: unknown key ${shown(unknown)}; known are ${[...MESSAGE_KEYS].join(", ")}`);
  }
  const { content, toolCalls, role, ...others } = message;
  const parts = content === null ? [] : typeof content === "string" ? [content] : (content ?? [""]);
  return create(ChatMessageSchema, {
    role,
    content: parts.map((one, i) => part(`${where}.content[${i}]`, one)),
    ...others,
    ...(toolCalls !== undefined && { toolCallsJson: JSON.stringify(toolCalls) }),
  });
}

function isImage(value: unknown): value is Image {
  return isMessage(value, ImageSchema);
}

function tokenId(where: string, id: number): number {
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
    throw new RangeError(`${where}: ${shown(id)} is not a token id, a whole number from 0 to 4294967295`);
  }
  return id;
}

/** The beginning of a value, for messages. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
}
