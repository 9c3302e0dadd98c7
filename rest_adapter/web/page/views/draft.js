/** The message that is being written. It outlives a look at another view. */

import { addNote } from "../state/notes.js";
import { makePicture } from "../state/pictures.js";
import { model } from "../state/server.js";
import { computed, signal } from "../ui.js";
import { dataUrlOf, thumbnailOf } from "./thumbnail.js";

// The server says how many pictures it takes, and how large. What is larger than this is a mistake.
const MOST_IMAGE_BYTES = 64 * 2 ** 20;
const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];

/** Kinds of files to choose from, as an input element wants them. */
export const ACCEPTED_IMAGES = IMAGE_TYPES.join(",");

/** Text of the draft. */
export const draftText = signal("");

/** Images of the draft. @type {{value: import("../state/pictures.js").ChosenPicture[]}} */
export const draftImages = signal([]);

/** Whether there is nothing to send. */
export const isDraftEmpty = computed(() => draftText.value.trim() === "" && draftImages.value.length === 0);

/** Ends when all files have been read that were given so far. @type {Promise<unknown>} */
let reading = Promise.resolve();

/** Why no images can be sent, "" if they can. */
export const noImagesReason = computed(() => {
  if (model.value?.canSee) return "";
  if (!model.value) return "It is not known yet whether this model can see images.";
  return "This model cannot see images: the server was started without a projector (--mmproj).";
});

/**
 * Whether images can be sent; if not, a note says why.
 * @returns {boolean}
 */
export function canTakeImages() {
  if (noImagesReason.value) addNote("info", noImagesReason.value);
  return noImagesReason.value === "";
}

/**
 * Put image files into the draft. What cannot be taken is named in a note.
 * @param {Iterable<File>} files
 * @returns {Promise<void>}
 */
export async function addImages(files) {
  // Browsers empty lists of files when their event is over.
  const chosen = [...files];
  if (!chosen.length || !canTakeImages()) return;
  const added = addEach(chosen);
  reading = Promise.all([reading, added]);
  await added;
}

/**
 * Wait for the files that were given to `addImages`.
 * @returns {Promise<void>}
 */
export async function imagesAreRead() {
  await reading;
}

/**
 * Take an image out of the draft.
 * @param {{id: string}} image
 * @returns {void}
 */
export function removeImage(image) {
  draftImages.value = draftImages.value.filter(({ id }) => id !== image.id);
}

/**
 * Empty the draft.
 * @returns {{text: string, images: import("../state/pictures.js").ChosenPicture[]}} what was in it
 */
export function takeDraft() {
  const taken = { text: draftText.value.trim(), images: draftImages.value };
  draftText.value = "";
  draftImages.value = [];
  return taken;
}

async function addEach(files) {
  for (const file of files) {
    const fault = faultOf(file);
    if (fault) addNote("error", `${file.name}: ${fault}`);
    else await addImage(file);
  }
}

function faultOf({ type, size }) {
  if (!IMAGE_TYPES.includes(type)) return "only PNG, JPEG, WebP, GIF and BMP images can be sent.";
  if (size > MOST_IMAGE_BYTES) return `an image may have at most ${MOST_IMAGE_BYTES / 2 ** 20} MB.`;
  return null;
}

async function addImage(file) {
  try {
    const picture = makePicture(file.name, await dataUrlOf(file), await thumbnailOf(file));
    draftImages.value = [...draftImages.value, picture];
  } catch (error) {
    addNote("error", `${file.name} cannot be read.`, String(error));
  }
}
