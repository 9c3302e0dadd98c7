/** Files of pictures as data URLs, and small copies of them. */

// Twice the size in which messages show them, for screens with small pixels.
const MOST_SIDE_PX = 512;
const QUALITY = 0.85;

/**
 * A small copy of a picture as a data URL: upright, without motion, what is transparent on white, as models see it.
 * @param {Blob} file
 * @returns {Promise<string>} "" if the browser does not understand the file; the server may
 */
export async function thumbnailOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return "";
  }
  const scale = Math.min(1, MOST_SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", QUALITY);
}

/**
 * The same of a picture that is a data URL.
 * @param {string} address
 * @returns {Promise<string>}
 */
export async function thumbnailOfAddress(address) {
  const [head, content] = address.split(",", 2);
  let bytes;
  try {
    bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  } catch {
    return "";
  }
  return thumbnailOf(new Blob([bytes], { type: head.slice("data:".length).split(";")[0] }));
}

/**
 * @param {Blob} file
 * @returns {Promise<string>} all of it as a data URL
 * @throws {DOMException} it cannot be read
 */
export function dataUrlOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
