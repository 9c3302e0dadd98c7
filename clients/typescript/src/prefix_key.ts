// The prefix key: which prompts begin alike, told to balancers (clients/README.md has its definition).

import { createHash } from "node:crypto";

import type { GenerateRequest } from "./gen/slotline/v1/generation_pb.js";
import type { PromptPart } from "./gen/slotline/v1/prompt_pb.js";

const BLOCK = 256;
const MOST_BLOCKS = 4;
const DIGITS = 32;
const ZERO = Buffer.from([0]);

/** The key of a request; empty for prompts of less than one block. */
export function prefixKey(request: GenerateRequest): string {
  const bytes = promptBytes(request);
  const blocks = Math.min(MOST_BLOCKS, Math.floor(bytes.length / BLOCK));
  if (blocks === 0) {
    return "";
  }
  const chat = request.prompt.case === "chat" ? request.prompt.value : undefined;
  const root = [request.model, request.cache?.cacheSalt, chat?.toolsJson, chat?.templateKwargsJson];
  let hash = sha256(Buffer.from(root.map((part) => part ?? "").join("\0")));
  for (let i = 0; i < blocks; i++) {
    hash = sha256(Buffer.concat([hash, bytes.subarray(i * BLOCK, (i + 1) * BLOCK)]));
  }
  return hash.toString("hex").slice(0, DIGITS);
}

/** Several servers in the order in which they are asked for a key. */
export function rankedBy<T extends { readonly address: string }>(key: string, targets: readonly T[]): T[] {
  const ranks = new Map(targets.map((target) => [target, sha256(Buffer.from(`${key}\n${target.address}`))]));
  return [...targets].sort((one, other) => Buffer.compare(ranks.get(other)!, ranks.get(one)!));
}

function promptBytes(request: GenerateRequest): Buffer {
  const prompt = request.prompt;
  switch (prompt.case) {
    case "text":
      return Buffer.from(prompt.value);
    case "tokenIds":
      return idBytes(prompt.value.ids);
    case "chat":
      return Buffer.concat(
        prompt.value.messages.flatMap((one) => [Buffer.from(one.role), ZERO, partBytes(one.content), ZERO]),
      );
    case "parts":
      return partBytes(prompt.value.parts);
    case "infill":
      return Buffer.concat([partBytes(prompt.value.prefix?.parts ?? []), partBytes(prompt.value.suffix?.parts ?? [])]);
    default:
      return Buffer.alloc(0);
  }
}

function partBytes(parts: readonly PromptPart[]): Buffer {
  return Buffer.concat(
    parts.map(({ part }) => {
      switch (part.case) {
        case "text":
          return Buffer.from(part.value);
        case "tokenIds":
          return idBytes(part.value.ids);
        case "image":
          return sha256(part.value.data);
        default:
          return Buffer.alloc(0);
      }
    }),
  );
}

function idBytes(ids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(ids.length * 4);
  ids.forEach((id, i) => bytes.writeUInt32LE(id, i * 4));
  return bytes;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
