/** The message that is being written. It outlives a look at another view. */

import { addNote } from "../state/notes.js";
import { model } from "../state/server.js";
import { signal } from "../ui.js";

const MOST_IMAGES = 8;
const MOST_IMAGE_BYTES = 10 * 2 ** 20;
const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];

/** Kinds of files to choose from, as an input element wants them. */
export const ACCEPTED_IMAGES = IMAGE_TYPES.join(",");

/** Text of the draft. */
export const draftText = signal("");

/** Images of the draft: [{name, address}], the address is a data URL. */
export const draftImages = signal([]);

/**
 * Whether images can be sent; if not, a note says so.
 * @returns {boolean}
 */
export function canTakeImages() {
  if (model.value?.canSee) return true;
  addNote("info", "This model cannot see images.");
  return false;
}

/**
 * Put image files into the draft. What cannot be taken is named in a note.
 * @param {Iterable<File>} files
 * @returns {Promise<void>}
 */
export async function addImages(files) {
  const images = [...files].filter(({ type }) => type.startsWith("image/"));
  if (!images.length || !canTakeImages()) return;
  for (const file of images) {
    const fault = faultOf(file);
    if (fault) addNote("error", `${file.name}: ${fault}`);
    else await addImage(file);
  }
}

/**
 * Take an image out of the draft.
 * @param {{address: string}} image
 * @returns {void}
 */
export function removeImage(image) {
  draftImages.value = draftImages.value.filter((other) => other !== image);
}

/**
 * Empty the draft.
 * @returns {{text: string, images: string[]}} what was in it
 */
export function takeDraft() {
  const taken = { text: draftText.value.trim(), images: draftImages.value.map(({ address }) => address) };
  draftText.value = "";
  draftImages.value = [];
  return taken;
}

function faultOf({ type, size }) {
  if (!IMAGE_TYPES.includes(type)) return "only PNG, JPEG, WebP, GIF and BMP images can be sent.";
  if (size > MOST_IMAGE_BYTES) return `an image may have at most ${MOST_IMAGE_BYTES / 2 ** 20} MB.`;
  if (draftImages.value.length >= MOST_IMAGES) return `a message may have at most ${MOST_IMAGES} images.`;
  return null;
}

async function addImage(file) {
  try {
    const address = await readAsDataUrl(file);
    draftImages.value = [...draftImages.value, { name: file.name, address }];
  } catch (error) {
    addNote("error", `${file.name} cannot be read.`, String(error));
  }
}

function readAsDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
