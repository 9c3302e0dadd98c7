/** The conversations of this browser, and the one in view. Tabs change them side by side. */

import { batch, signal } from "../../vendor/signals-core.js";
import { clock } from "./clock.js";
import { ConversationStore } from "./conversation_store.js";
import { byAge, holdsWords, listWith, makeConversation, summaryOf, withMessageFields } from "./messages.js";
import { addNote } from "./notes.js";
import { readOpenId, writeOpenId } from "./storage.js";
import { Tabs } from "./tabs.js";

/** @typedef {import("./messages.js").Conversation} Conversation */
/** @typedef {import("./messages.js").Summary} Summary */

const MOST_TITLE_LETTERS = 200;

/** All conversations without their messages, newest first. @type {{value: Summary[], peek(): Summary[]}} */
export const conversations = signal([]);

/** The conversation in view; one without messages is not stored yet. @type {{value: Conversation}} */
export const current = signal(makeConversation());

/** This tab among the others: whoever writes an answer claims it, so that they leave it alone. */
export const tabs = new Tabs(hear);

const store = new ConversationStore();
// Those that nobody has written anything in.
const fresh = new Map([[current.peek().id, current.peek()]]);
// Number of changes under way by conversation: only after the last of them is what is stored the newest.
const changing = new Map();
let loading = null;
let lastOpening = 0;

/**
 * Read what is stored, and open what this tab had open before it was loaded again. Later calls wait for the first.
 *
 * @returns {Promise<void>}
 */
export function loadConversations() {
  loading ??= load();
  return loading;
}

/**
 * Show a conversation. A note says if it is not there any more.
 *
 * @param {string} id
 */
export async function openConversation(id) {
  const opening = ++lastOpening;
  await loadConversations();
  const conversation = fresh.get(id) ?? (await store.get(id));
  // Meanwhile the user may have chosen another one.
  if (opening !== lastOpening) {
    return;
  }
  if (!conversation) {
    forget(id);
    addNote("error", "This conversation does not exist any more.");
    return;
  }
  show(conversation);
  await endAbandoned(conversation);
}

/** Show a conversation without messages. */
export function newConversation() {
  lastOpening++;
  if (!fresh.has(current.peek().id)) {
    const conversation = makeConversation();
    fresh.clear();
    fresh.set(conversation.id, conversation);
    show(conversation);
  }
}

/**
 * @param {string} id
 * @param {string} title
 * @throws {RangeError} the title is empty or too long
 */
export async function renameConversation(id, title) {
  const text = title.trim();
  if (text === "" || text.length > MOST_TITLE_LETTERS) {
    throw new RangeError(`A title needs 1 to ${MOST_TITLE_LETTERS} letters; this one has ${text.length}.`);
  }
  await changeConversation(id, (conversation) => ({ ...conversation, title: text, isRenamed: true }));
}

/** @param {string} id */
export async function deleteConversation(id) {
  await loadConversations();
  await store.remove(id);
  tabs.tell("deleted", id);
  forget(id);
}

/**
 * The conversations whose title or texts hold all words of a query; all for an empty one.
 *
 * @param {string} query
 * @returns {Promise<Summary[]>} newest first
 */
export async function searchConversations(query) {
  await loadConversations();
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return conversations.peek();
  }
  const found = [];
  await store.each((conversation) => {
    if (holdsWords(conversation, words)) {
      found.push(summaryOf(conversation));
    }
  });
  return found.sort(byAge);
}

/**
 * Set the system prompt of the conversation in view.
 *
 * @param {string} text
 */
export async function setSystemPrompt(text) {
  const { id } = current.peek();
  const written = fresh.get(id);
  if (written) {
    const conversation = { ...written, systemPrompt: text };
    fresh.set(id, conversation);
    current.value = conversation;
    return;
  }
  await changeConversation(id, (conversation) => ({ ...conversation, systemPrompt: text }));
}

/**
 * Change a conversation, in view at once, then where it is stored.
 *
 * @param {string} id
 * @param {(conversation: Conversation) => Conversation|null} update makes the new one of the newest; it is called with
 *   several states, and null leaves the conversation as it is
 * @returns {Promise<Conversation|null>} what was stored; null if nothing was, also if it has been deleted
 */
export async function changeConversation(id, update) {
  const known = current.peek().id === id ? current.peek() : undefined;
  const base = fresh.get(id);
  fresh.delete(id);
  const shown = updated(known, update);
  if (shown) {
    publish(shown);
    writeOpenId(id);
  }
  changing.set(id, (changing.get(id) ?? 0) + 1);
  let changed = null;
  try {
    changed = await store.change(id, (stored) => updated(stored ?? base, update), known);
  } finally {
    endChange(id);
  }
  if (changed) {
    tabs.tell("changed", id);
    if (!changing.has(id)) {
      publish(changed);
    }
  } else if (shown && !changing.has(id)) {
    // What was shown at once is not what became of it.
    await refresh(id);
  }
  return changed;
}

/**
 * Add a conversation.
 *
 * @param {Conversation} conversation with an id that no other has
 */
export async function addConversation(conversation) {
  await store.change(conversation.id, () => conversation, conversation);
  tabs.tell("changed", conversation.id);
  publish(conversation);
}

/**
 * A whole conversation as it is stored.
 *
 * @param {string} id
 * @returns {Promise<Conversation|undefined>}
 */
export async function readConversation(id) {
  await loadConversations();
  return store.get(id);
}

/**
 * Keep the file of a picture, with the conversation that is about to have it.
 *
 * @param {import("./pictures.js").ChosenPicture} picture
 */
export function keepOriginal({ id, address }) {
  store.hold(id, address);
}

/**
 * The files of pictures.
 *
 * @param {import("./pictures.js").Picture[]} pictures
 * @returns {Promise<Map<string, string>>} data URLs by the ids of the pictures; those that could not be kept are missing
 */
export async function readOriginals(pictures) {
  const found = await Promise.all(pictures.map(async ({ id }) => [id, await store.original(id)]));
  return new Map(found.filter(([, address]) => address !== undefined));
}

async function load() {
  const opening = lastOpening;
  const summaries = new Map();
  await store.each((conversation) => summaries.set(conversation.id, summaryOf(conversation)));
  // Something may have been written while the database was read.
  for (const summary of conversations.peek()) {
    summaries.set(summary.id, summary);
  }
  conversations.value = [...summaries.values()].sort(byAge);
  const id = readOpenId();
  const conversation = summaries.has(id) ? await store.get(id) : undefined;
  if (conversation && opening === lastOpening && fresh.has(current.peek().id) && !current.peek().systemPrompt) {
    fresh.clear();
    show(conversation);
    void endAbandoned(conversation);
  }
}

/** Every change has a number, which tells whether tabs have the same state. */
function updated(conversation, update) {
  const next = conversation ? update(conversation) : null;
  return next && { ...next, revision: conversation.revision + 1 };
}

function endChange(id) {
  const nOthers = changing.get(id) - 1;
  if (nOthers > 0) {
    changing.set(id, nOthers);
  } else {
    changing.delete(id);
  }
}

function show(conversation) {
  current.value = conversation;
  writeOpenId(fresh.has(conversation.id) ? "" : conversation.id);
}

function publish(conversation) {
  batch(() => {
    conversations.value = listWith(conversations.peek(), conversation);
    // The same state once more, read from where it is stored, would be drawn anew with all its messages.
    const { id, revision } = current.peek();
    if (id === conversation.id && revision !== conversation.revision) {
      current.value = conversation;
    }
  });
}

function forget(id) {
  conversations.value = conversations.peek().filter((one) => one.id !== id);
  if (current.peek().id === id) {
    fresh.delete(id);
    newConversation();
  }
}

function hear({ kind, id }) {
  if (kind === "changed") {
    void refresh(id);
  } else if (kind === "deleted") {
    lose(id);
  }
}

/** Another tab deleted the conversation. */
function lose(id) {
  if (current.peek().id === id) {
    addNote("info", "This conversation was deleted in another tab.");
  }
  forget(id);
}

async function refresh(id) {
  const conversation = await store.get(id);
  if (changing.has(id)) {
    return;
  }
  if (conversation) {
    publish(conversation);
  } else {
    lose(id);
  }
}

/** An answer that a tab left in the middle, by a reload for example, is as good as stopped. */
async function endAbandoned({ id, messages }) {
  for (const message of messages.filter(({ role, finish }) => role === "assistant" && finish === null)) {
    if (!(await tabs.isClaimed(message.id))) {
      await changeConversation(id, (conversation) => {
        const same = conversation.messages.find((one) => one.id === message.id);
        return same?.finish === null ? withMessageFields(conversation, message.id, { finish: "stopped" }) : null;
      });
    }
  }
}

void loadConversations();
