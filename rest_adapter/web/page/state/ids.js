/** Ids that no other tab makes. */

const N_BYTES = 12;

/** @returns {string} a new random id */
export function newId() {
  // crypto.randomUUID is missing where the page comes over plain HTTP from another machine.
  const bytes = crypto.getRandomValues(new Uint8Array(N_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
