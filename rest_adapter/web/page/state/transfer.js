/** Conversations as a file, and back. */

import { addConversation, conversations, loadConversations, readConversation } from "./conversations.js";
import { newId } from "./ids.js";
import { checkFile } from "./transfer_check.js";

/**
 * Conversations as JSON text.
 *
 * @param {string[]} [ids] which; all without it
 * @returns {Promise<string>}
 */
export async function exportConversations(ids) {
  await loadConversations();
  const wanted = ids ?? conversations.peek().map(({ id }) => id);
  const found = [];
  for (const id of wanted) {
    const conversation = await readConversation(id);
    if (conversation) {
      found.push(conversation);
    }
  }
  return JSON.stringify({ format: "slotline-conversations", version: 1, conversations: found }, null, 2);
}

/**
 * Add the conversations of an export. One that is here already, with all that the export has of it, is skipped.
 *
 * @param {string} text
 * @returns {Promise<{added: number, skipped: number}>}
 * @throws {Error} the text is not an export; says what is wrong and where, and nothing was added
 */
export async function importConversations(text) {
  const imported = checkFile(text);
  let added = 0;
  for (const conversation of imported) {
    const stored = await readConversation(conversation.id);
    if (!stored) {
      await addConversation(conversation);
      added += 1;
    } else if (!holdsAll(stored, conversation)) {
      await addConversation({ ...conversation, id: newId() });
      added += 1;
    }
  }
  return { added, skipped: imported.length - added };
}

function holdsAll(stored, conversation) {
  const known = new Map(stored.messages.map((message) => [message.id, said(message)]));
  return conversation.messages.every((message) => known.get(message.id) === said(message));
}

/** All that a message says, and what it was told by tools. */
function said({ content, reasoning = "", toolCalls = [] }) {
  return JSON.stringify([content, reasoning, toolCalls.map(({ arguments: text, result }) => [text, result])]);
}
