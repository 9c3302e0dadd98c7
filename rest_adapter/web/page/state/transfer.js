/** Conversations as a file, and back. */

import {
  addConversation,
  conversations,
  keepOriginal,
  loadConversations,
  readConversation,
  readOriginals,
} from "./conversations.js";
import { newId } from "./ids.js";
import { makePicture, picturesOf } from "./pictures.js";
import { checkFile } from "./transfer_check.js";

/**
 * Conversations as JSON text, with the files of their pictures.
 *
 * @param {string[]} [ids] which; all without it
 * @returns {Promise<string>}
 * @throws {RangeError} it would be longer than a text may be
 */
export async function exportConversations(ids) {
  await loadConversations();
  const wanted = ids ?? conversations.peek().map(({ id }) => id);
  const found = [];
  for (const id of wanted) {
    const conversation = await readConversation(id);
    if (conversation) {
      found.push(await withFiles(conversation));
    }
  }
  return JSON.stringify({ format: "slotline-conversations", version: 1, conversations: found }, null, 2);
}

/**
 * Add the conversations of an export. One that is here already, with all that the export has of it, is skipped.
 *
 * @param {string} text
 * @param {(address: string) => Promise<string>} shrink makes the small copy of a picture, both as data URLs
 * @returns {Promise<{added: number, skipped: number}>}
 * @throws {Error} the text is not an export; says what is wrong and where, and nothing was added
 */
export async function importConversations(text, shrink) {
  const imported = checkFile(text);
  let added = 0;
  for (const conversation of imported) {
    const stored = await readConversation(conversation.id);
    if (!stored) {
      await addConversation(await withPictures(conversation, shrink));
      added += 1;
    } else if (!holdsAll(stored, conversation)) {
      await addConversation({ ...(await withPictures(conversation, shrink)), id: newId() });
      added += 1;
    }
  }
  return { added, skipped: imported.length - added };
}

/** The conversation as files have it: pictures are data URLs. */
async function withFiles(conversation) {
  const files = await readOriginals(picturesOf(conversation));
  const addresses = (images) => images.map(({ id, thumbnail }) => files.get(id) ?? thumbnail).filter(Boolean);
  const messages = conversation.messages.map((message) => ({ ...message, images: addresses(message.images) }));
  return { ...conversation, messages };
}

/** The conversation of a file as it is stored here. */
async function withPictures(conversation, shrink) {
  const messages = [];
  for (const message of conversation.messages) {
    const images = [];
    for (const [i, address] of message.images.entries()) {
      const picture = makePicture(`Image ${i + 1}`, address, await shrink(address));
      keepOriginal(picture);
      const { address: _, ...stored } = picture;
      images.push(stored);
    }
    messages.push({ ...message, images });
  }
  return { ...conversation, messages };
}

function holdsAll(stored, conversation) {
  const known = new Map(stored.messages.map((message) => [message.id, said(message)]));
  return conversation.messages.every((message) => known.get(message.id) === said(message));
}

/** All that a message says, and what it was told by tools. */
function said({ content, reasoning = "", toolCalls = [] }) {
  return JSON.stringify([content, reasoning, toolCalls.map(({ arguments: text, result }) => [text, result])]);
}
