/** Checking what an import brings: files come from anywhere. */

const FINISHES = ["stop", "length", "stopped", "error", null];
const IMAGE = /^data:image\/(png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/=]*$/;
const MOST_SHOWN = 40;

/**
 * The conversations of an export.
 *
 * @param {string} text
 * @returns {import("./messages.js").Conversation[]} with the known fields only
 * @throws {Error} says what is wrong and where
 */
export function checkFile(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new Error(`This file is not JSON: ${error.message}`);
  }
  if (file?.format !== "slotline-conversations") {
    throw wrong("format", file?.format, '"slotline-conversations"; this is no export of conversations');
  }
  if (file.version !== 1) {
    throw wrong("version", file.version, "1; the file comes from another version of this page");
  }
  const found = list("conversations", file.conversations).map((item, i) => conversation(`conversations[${i}]`, item));
  refuseTwins("conversations", found);
  return found;
}

function conversation(path, value) {
  const from = object(path, value);
  const messages = list(`${path}.messages`, from.messages).map((item, i) => message(`${path}.messages[${i}]`, item));
  refuseTwins(`${path}.messages`, messages);
  return {
    id: id(`${path}.id`, from.id),
    title: text(`${path}.title`, from.title),
    isRenamed: from.isRenamed === true,
    revision: 0,
    createdAt: time(`${path}.createdAt`, from.createdAt),
    updatedAt: time(`${path}.updatedAt`, from.updatedAt),
    systemPrompt: text(`${path}.systemPrompt`, from.systemPrompt ?? ""),
    messages,
  };
}

function message(path, value) {
  const from = object(path, value);
  const role = oneOf(`${path}.role`, from.role, ["user", "assistant"]);
  const finish = oneOf(`${path}.finish`, from.finish ?? null, FINISHES);
  return {
    id: id(`${path}.id`, from.id),
    role,
    content: text(`${path}.content`, from.content),
    images: list(`${path}.images`, from.images ?? []).map((url, i) => image(`${path}.images[${i}]`, url)),
    tokens: list(`${path}.tokens`, from.tokens ?? []).map((item, i) => token(`${path}.tokens[${i}]`, item)),
    statistics: from.statistics ? statistics(`${path}.statistics`, from.statistics) : null,
    // Nobody writes it any more.
    finish: role === "assistant" ? (finish ?? "stopped") : null,
    error: text(`${path}.error`, from.error ?? ""),
    ...(from.isTooLong === true && { isTooLong: true }),
    ...thinking(path, from),
    ...calls(`${path}.toolCalls`, from.toolCalls ?? []),
  };
}

function thinking(path, { reasoning = "", reasoningMs = null }) {
  if (reasoning === "") return {};
  return { reasoning: text(`${path}.reasoning`, reasoning), reasoningMs: number(`${path}.reasoningMs`, reasoningMs ?? 0) };
}

function calls(path, value) {
  const toolCalls = list(path, value).map((item, i) => call(`${path}[${i}]`, item));
  return toolCalls.length > 0 ? { toolCalls } : {};
}

function call(path, value) {
  const from = object(path, value);
  return {
    id: text(`${path}.id`, from.id),
    name: text(`${path}.name`, from.name),
    arguments: text(`${path}.arguments`, from.arguments),
    result: from.result === null || from.result === undefined ? null : text(`${path}.result`, from.result),
    totalMs: from.totalMs === null || from.totalMs === undefined ? null : number(`${path}.totalMs`, from.totalMs),
  };
}

function token(path, value) {
  const from = object(path, value);
  const probs = list(`${path}.probs`, from.probs).map((item, i) => {
    const candidate = object(`${path}.probs[${i}]`, item);
    return {
      tok_str: text(`${path}.probs[${i}].tok_str`, candidate.tok_str),
      prob: number(`${path}.probs[${i}].prob`, candidate.prob),
    };
  });
  return { text: text(`${path}.text`, from.text), probs };
}

function statistics(path, value) {
  const from = object(path, value);
  const names = ["nTokens", "nPromptTokens", "nCachedTokens", "tokensPerSecond", "firstTokenMs", "totalMs"];
  if ((from.nTruncatedTokens ?? null) !== null) names.push("nTruncatedTokens");
  return Object.fromEntries(
    names.map((name) => [name, from[name] === null ? null : number(`${path}.${name}`, from[name])]),
  );
}

function refuseTwins(path, items) {
  const seen = new Set();
  for (const [i, item] of items.entries()) {
    if (seen.has(item.id)) {
      throw new Error(`${path}[${i}].id: ${shown(item.id)} is there twice; each id must be there once.`);
    }
    seen.add(item.id);
  }
}

function id(path, value) {
  if (typeof value !== "string" || !/^[\w-]{1,64}$/.test(value)) {
    throw wrong(path, value, "an id of 1 to 64 letters, digits, - and _");
  }
  return value;
}

function image(path, value) {
  if (typeof value !== "string" || !IMAGE.test(value)) {
    throw wrong(path, value, "a data URL of an image");
  }
  return value;
}

function text(path, value) {
  if (typeof value !== "string") {
    throw wrong(path, value, "a text");
  }
  return value;
}

function number(path, value) {
  if (!Number.isFinite(value)) {
    throw wrong(path, value, "a number");
  }
  return value;
}

function time(path, value) {
  if (!Number.isFinite(value) || value < 0) {
    throw wrong(path, value, "a time in milliseconds since 1970");
  }
  return value;
}

function oneOf(path, value, allowed) {
  if (!allowed.includes(value)) {
    throw wrong(path, value, `one of ${allowed.map((item) => JSON.stringify(item)).join(", ")}`);
  }
  return value;
}

function list(path, value) {
  if (!Array.isArray(value)) {
    throw wrong(path, value, "a list");
  }
  return value;
}

function object(path, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw wrong(path, value, "an object");
  }
  return value;
}

function wrong(path, value, allowed) {
  return new Error(`${path}: ${shown(value)} is not ${allowed}.`);
}

function shown(value) {
  const words = value === undefined ? "nothing" : JSON.stringify(value);
  return words.length > MOST_SHOWN ? `${words.slice(0, MOST_SHOWN)}...` : words;
}
