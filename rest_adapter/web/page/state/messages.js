/**
 * Conversations and their messages as values: making them, changing copies of them, asking with them.
 *
 * @typedef {{text: string, probs: {tok_str: string, prob: number}[]}} TokenView
 * @typedef {object} Statistics Times of this page, counts of the server; null for what is not known.
 * @property {number} nTokens
 * @property {number|null} nPromptTokens
 * @property {number|null} nCachedTokens
 * @property {number|null} tokensPerSecond
 * @property {number|null} firstTokenMs
 * @property {number} totalMs
 * @property {number} [nTruncatedTokens] there if a part of the conversation did not fit and was left out: how many tokens
 *   of it, 0 if the server did not count them
 * @typedef {object} ToolCall A call of a tool in an answer.
 * @property {string} id names it to its result
 * @property {string} name
 * @property {string} arguments JSON text; not whole if the answer was cut in it
 * @property {string|null} result what the tool gave, null as long as nobody has said it
 * @property {number|null} totalMs how long the model wrote the arguments
 * @typedef {object} Message
 * @property {string} id
 * @property {"user"|"assistant"} role
 * @property {string} content
 * @property {import("./pictures.js").Picture[]} images
 * @property {TokenView[]} tokens empty unless probabilities were asked for
 * @property {Statistics|null} statistics
 * @property {"stop"|"length"|"stopped"|"error"|null} finish null while it is written, and for the user's
 * @property {string} error "" unless finish is "error"
 * @property {string} [reasoning] what the model thought before it answered; there if it did, as the next one
 * @property {number|null} [reasoningMs] how long
 * @property {ToolCall[]} [toolCalls] there if the answer makes any
 * @property {boolean} [isTooLong] whether the error is that the conversation does not fit into the context
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {boolean} isRenamed whether the user chose the title
 * @property {number} revision number of changes since it was made
 * @property {number} createdAt milliseconds since 1970
 * @property {number} updatedAt
 * @property {string} systemPrompt
 * @property {Message[]} messages
 * @typedef {{id: string, title: string, createdAt: number, updatedAt: number, nMessages: number}} Summary
 */

import { clock } from "./clock.js";
import { newId } from "./ids.js";
import { isObject, readJson } from "./json_text.js";

export const UNTITLED = "New conversation";
const MOST_TITLE_LETTERS = 60;

/** @returns {Conversation} a new one without messages */
export function makeConversation() {
  const now = clock.wallTime();
  return {
    id: newId(),
    title: UNTITLED,
    isRenamed: false,
    revision: 0,
    createdAt: now,
    updatedAt: now,
    systemPrompt: "",
    messages: [],
  };
}

/**
 * @param {string} content
 * @param {import("./pictures.js").Picture[]} images they may have their files, which are left out
 * @returns {Message}
 */
export function makeQuestion(content, images) {
  const pictures = images.map(({ id, name, thumbnail }) => ({ id, name, thumbnail }));
  return { ...makeAnswer(), role: "user", content, images: pictures };
}

/** @returns {Message} an answer that nothing has come of */
export function makeAnswer() {
  return {
    id: newId(),
    role: "assistant",
    content: "",
    images: [],
    tokens: [],
    statistics: null,
    finish: null,
    error: "",
  };
}

/**
 * @param {Conversation} conversation
 * @returns {Summary}
 */
export function summaryOf({ id, title, createdAt, updatedAt, messages }) {
  return { id, title, createdAt, updatedAt, nMessages: messages.length };
}

/**
 * The list with a conversation as it is now; the same list if that changes nothing, so that it is not drawn again.
 *
 * @param {Summary[]} list newest first
 * @param {Conversation} conversation
 * @returns {Summary[]} newest first
 */
export function listWith(list, conversation) {
  const summary = summaryOf(conversation);
  const listed = list.find(({ id }) => id === summary.id);
  if (listed && Object.keys(summary).every((name) => summary[name] === listed[name])) {
    return list;
  }
  return [...list.filter((one) => one !== listed), summary].sort(byAge);
}

/**
 * The order of lists: newest first.
 *
 * @param {Summary} one
 * @param {Summary} other
 * @returns {number}
 */
export function byAge(one, other) {
  return other.updatedAt - one.updatedAt || other.createdAt - one.createdAt;
}

/**
 * The conversation with these messages from place `at` on; its title follows unless the user chose it.
 *
 * @param {Conversation} conversation
 * @param {number} at
 * @param {Message[]} messages
 * @param {number} updatedAt
 * @returns {Conversation}
 */
export function withMessagesFrom(conversation, at, messages, updatedAt) {
  const all = [...conversation.messages.slice(0, at), ...messages];
  const title = conversation.isRenamed ? conversation.title : titleOf(all);
  return { ...conversation, title, updatedAt, messages: all };
}

/**
 * The conversation with other fields in one message, or null if it has no such message.
 *
 * @param {Conversation} conversation
 * @param {string} messageId
 * @param {Partial<Message>} fields
 * @returns {Conversation|null}
 */
export function withMessageFields(conversation, messageId, fields) {
  const at = indexOfMessage(conversation, messageId);
  if (at < 0) {
    return null;
  }
  return { ...conversation, messages: conversation.messages.with(at, { ...conversation.messages[at], ...fields }) };
}

/**
 * The conversation without its first turn, or null if it has no other. What its prompt takes now is not known.
 *
 * @param {Conversation} conversation
 * @param {number} updatedAt
 * @returns {Conversation|null}
 */
export function withoutOldestTurn(conversation, updatedAt) {
  const second = conversation.messages.findIndex(({ role }, i) => i > 0 && role === "user");
  if (second < 0) return null;
  const messages = conversation.messages.slice(second).map((message) => {
    const { statistics } = message;
    return statistics ? { ...message, statistics: { ...statistics, nPromptTokens: null, nCachedTokens: null } } : message;
  });
  return { ...conversation, updatedAt, messages };
}

/**
 * @param {Message[]} messages
 * @returns {number} how many turns they make: questions, each with its answer
 */
export function countTurns(messages) {
  return messages.filter(({ role }) => role === "user").length;
}

/**
 * @param {Conversation} conversation
 * @param {string} messageId
 * @returns {number} the message's place, -1 if it is not there
 */
export function indexOfMessage(conversation, messageId) {
  return conversation.messages.findIndex(({ id }) => id === messageId);
}

/**
 * The fields of a request that asks for the answer at a place. If that has a text already, more of it is asked for.
 *
 * @param {Conversation} conversation
 * @param {number} at
 * @param {Map<string, string>} files of pictures, as data URLs by their ids; pictures without are left out
 * @returns {{messages: object[], continue_final_message?: boolean}}
 */
export function conversationFields(conversation, at, files) {
  const asked = turnsUpTo(conversation, at, files).map(({ sent }) => sent);
  return asked.at(-1)?.role === "assistant" ? { messages: asked, continue_final_message: true } : { messages: asked };
}

/**
 * The picture that a field of such a request is about.
 *
 * @param {Conversation} conversation
 * @param {number} at
 * @param {Map<string, string>} files
 * @param {string} field as the server names it: messages[2].content[0].image_url
 * @returns {import("./pictures.js").Picture|undefined}
 */
export function pictureOfField(conversation, at, files, field) {
  const [, turn, part] = /^messages\[(\d+)\]\.content\[(\d+)\]/.exec(field) ?? [];
  return turnsUpTo(conversation, at, files)[turn]?.pictures[part];
}

/** The turns of a request, each with the pictures that it has; those are its first parts. */
function turnsUpTo(conversation, at, files) {
  const said = conversation.messages
    .slice(0, at + 1)
    .filter(({ content, images, toolCalls = [] }) => content || images.length > 0 || toolCalls.some(hasResult));
  const turns = said.flatMap((message) => {
    const pictures = message.images.filter(({ id }) => files.has(id));
    return asRequest(message, pictures, files).map((sent) => ({ sent, pictures }));
  });
  if (conversation.systemPrompt.trim()) {
    turns.unshift({ sent: { role: "system", content: conversation.systemPrompt }, pictures: [] });
  }
  return turns;
}

/**
 * The calls of a message that wait for what the tools give. Those that were cut cannot be made.
 *
 * @param {Message} message
 * @returns {ToolCall[]}
 */
export function openCalls({ toolCalls = [], finish }) {
  return finish === null ? [] : toolCalls.filter((call) => !hasResult(call) && isWhole(call));
}

/**
 * A message whose calls have results.
 *
 * @param {Message} message
 * @param {Record<string, string>} results by the id of the call
 * @returns {Message}
 */
export function withResults(message, results) {
  const toolCalls = message.toolCalls.map((call) => ({ ...call, result: results[call.id] ?? call.result }));
  return { ...message, toolCalls };
}

/**
 * @param {ToolCall} call
 * @returns {boolean} whether its arguments came to their end
 */
export function isWhole(call) {
  return isObject(readJson(call.arguments).value);
}

/**
 * A cut answer and what comes after it.
 *
 * @param {Pick<Message, "content"|"tokens"|"reasoning"|"reasoningMs"|"toolCalls">} before
 * @param {{text: string, tokens: TokenView[], reasoning: string, reasoningMs: number|null, toolCalls: ToolCall[]}} after
 * @returns {Pick<Message, "content"|"tokens"|"reasoning"|"reasoningMs"|"toolCalls">} the tokens add up to the content, or
 *   there are none
 */
export function joinAnswer(before, after) {
  const content = before.content + after.text;
  const hasTokens = before.tokens.length > 0 || after.tokens.length > 0;
  const tokens = hasTokens ? [...asTokens(before.content, before.tokens), ...asTokens(after.text, after.tokens)] : [];
  const reasoning = (before.reasoning ?? "") + after.reasoning;
  const toolCalls = [...(before.toolCalls ?? []), ...after.toolCalls];
  return {
    content,
    tokens,
    ...(reasoning && { reasoning, reasoningMs: (before.reasoningMs ?? 0) + (after.reasoningMs ?? 0) }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

/**
 * Whether title, texts and system prompt hold every word.
 *
 * @param {Conversation} conversation
 * @param {string[]} words in lower case
 * @returns {boolean}
 */
export function holdsWords(conversation, words) {
  const texts = [conversation.title, conversation.systemPrompt, ...conversation.messages.map(({ content }) => content)];
  const all = texts.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}

/** A text that was made without probabilities stands as one token beside those that have them. */
function asTokens(text, tokens) {
  return tokens.length > 0 || text === "" ? tokens : [{ text, probs: [] }];
}

function titleOf(messages) {
  const first = messages.find(({ role }) => role === "user");
  const text = first?.content.trim().replace(/\s+/g, " ") ?? "";
  if (text === "") {
    return first?.images.length ? "Image" : UNTITLED;
  }
  const letters = Array.from(text);
  return letters.length > MOST_TITLE_LETTERS ? `${letters.slice(0, MOST_TITLE_LETTERS - 1).join("")}…` : text;
}

function hasResult({ result }) {
  return result !== null;
}

/** A message as the API takes it, and the results of its calls. A call without one would be one that is waited for. */
function asRequest({ role, content, reasoning, toolCalls = [] }, pictures, files) {
  const thought = reasoning ? { reasoning_content: reasoning } : {};
  const calls = toolCalls.filter(hasResult);
  if (calls.length > 0) {
    const made = calls.map(({ id, name, arguments: text }) => ({
      id,
      type: "function",
      function: { name, arguments: text },
    }));
    const results = calls.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: result }));
    return [{ role, content: content || null, ...thought, tool_calls: made }, ...results];
  }
  if (pictures.length === 0) {
    return [{ role, content, ...thought }];
  }
  const parts = pictures.map(({ id }) => ({ type: "image_url", image_url: { url: files.get(id) } }));
  return [{ role, content: content ? [...parts, { type: "text", text: content }] : parts }];
}
