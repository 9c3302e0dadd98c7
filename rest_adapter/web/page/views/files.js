/** Conversations to a file and back. */

import { addNote } from "../state/notes.js";
import { exportConversations, importConversations } from "../state/transfer.js";
import { formatCount } from "../text/format.js";
import { thumbnailOfAddress } from "./thumbnail.js";

const TOO_LARGE = "they are too large for one file. Export them one by one.";

/**
 * Save conversations as a file.
 * @param {string[]} [ids] all if left out
 * @returns {Promise<void>}
 */
export async function exportToFile(ids) {
  try {
    const text = await exportConversations(ids);
    download(`slotline-conversations-${new Date().toISOString().slice(0, 10)}.json`, text);
  } catch (error) {
    const reason = error instanceof RangeError ? TOO_LARGE : error.message;
    addNote("error", `The conversations cannot be exported: ${reason}`);
  }
}

/**
 * Add the conversations of a file; a note tells the result.
 * @param {File | undefined} file
 * @returns {Promise<void>}
 */
export async function importFile(file) {
  if (!file) return;
  try {
    const { added, skipped } = await importConversations(await file.text(), thumbnailOfAddress);
    const rest = skipped > 0 ? ` ${skipped} ${skipped === 1 ? "was" : "were"} here already.` : "";
    addNote("info", `${formatCount(added, "conversation")} imported.${rest}`);
  } catch (error) {
    addNote("error", `${file.name} cannot be imported: ${error.message}`);
  }
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken the content by then.
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
