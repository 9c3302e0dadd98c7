/** Copying with a word about it on the button. */

const WORD_STAYS_MS = 1500;

/**
 * Copy the text of an element, and say so on the button for a moment.
 * @param {HTMLElement} element
 * @param {HTMLButtonElement} button
 * @returns {Promise<void>}
 */
export async function copyText(element, button) {
  const isCopied = await writeClipboard(element.textContent.replace(/\n$/, ""));
  // Without permission, or over plain HTTP from elsewhere: leave the text selected.
  if (!isCopied) getSelection().selectAllChildren(element);
  const word = button.textContent;
  button.textContent = isCopied ? "Copied" : "Selected";
  button.disabled = true;
  setTimeout(() => {
    button.textContent = word;
    button.disabled = false;
  }, WORD_STAYS_MS);
}

/**
 * Put a text on the clipboard.
 * @param {string} text
 * @returns {Promise<boolean>} false where the browser does not allow it
 */
export async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
