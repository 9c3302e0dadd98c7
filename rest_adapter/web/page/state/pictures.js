/** Pictures of questions as values: making them, and what is said about them. Their files are kept elsewhere. */

import { signal } from "../../vendor/signals-core.js";
import { ApiError } from "../api.js";
import { newId } from "./ids.js";
import { sentence } from "./words.js";

/**
 * @typedef {object} Picture A picture in a message.
 * @property {string} id names its file where conversations are stored
 * @property {string} name
 * @property {string} thumbnail a small copy, as a data URL; "" if the browser could not make one
 * @typedef {Picture & {address: string}} ChosenPicture One with its file, as a data URL.
 */

/**
 * What the server says against pictures, by their ids, until they are sent again.
 *
 * @type {import("../../vendor/signals-core.js").Signal<ReadonlyMap<string, string>>}
 */
export const refusedPictures = signal(new Map());

/**
 * @param {string} name
 * @param {string} address
 * @param {string} thumbnail
 * @returns {ChosenPicture}
 */
export function makePicture(name, address, thumbnail) {
  return { id: newId(), name, thumbnail, address };
}

/**
 * @param {import("./messages.js").Conversation|undefined} conversation
 * @returns {Picture[]} those of all messages
 */
export function picturesOf(conversation) {
  return conversation?.messages.flatMap(({ images }) => images) ?? [];
}

/**
 * Forget what was said against pictures: they are sent again.
 *
 * @param {Picture[]} pictures
 */
export function clearRefusals(pictures) {
  const kept = new Map(refusedPictures.peek());
  if (pictures.filter(({ id }) => kept.delete(id)).length > 0) {
    refusedPictures.value = kept;
  }
}

/**
 * Take what the server says against a picture.
 *
 * @param {Picture} picture
 * @param {ApiError} error
 * @returns {ApiError} the same by the picture's name
 */
export function refusePicture({ id, name }, error) {
  const problem = sentence(error.message);
  refusedPictures.value = new Map(refusedPictures.peek()).set(id, problem);
  return new ApiError(`${name}: ${problem.charAt(0).toLowerCase()}${problem.slice(1)}`, error);
}
