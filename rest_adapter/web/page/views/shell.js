/** What the frame of the page shows: the view, and which of its side panels are open. */

import { signal } from "../ui.js";

/** The views by the part of the address after "#/", in the order of the navigation. */
export const VIEWS = Object.freeze({ chat: "Chat", completion: "Completion", monitor: "Monitor", api: "API" });

/** Name of the view in sight: a key of VIEWS. */
export const view = signal("chat");

/** Whether the options panel is open. */
export const optionsOpen = signal(false);

/** Whether the list of conversations is open where there is no room for it beside the chat. */
export const sidebarOpen = signal(false);

/** Whether the list of keyboard shortcuts is open. */
export const shortcutsOpen = signal(false);

/**
 * Keep `view` equal to what the address says.
 * @returns {void}
 */
export function watchAddress() {
  window.addEventListener("hashchange", readAddress);
  readAddress();
}

/**
 * Close the options panel and give the focus back to its button.
 * @returns {void}
 */
export function closeOptions() {
  optionsOpen.value = false;
  document.querySelector("[aria-controls=options]")?.focus();
}

/**
 * Put the focus where messages are written, if that is in sight and there is a keyboard: on a phone the one on the
 * screen would cover half of what there is to read.
 * @returns {void}
 */
export function focusComposer() {
  if (matchMedia("(pointer: coarse)").matches) return;
  document.querySelector(".composer textarea")?.focus();
}

function readAddress() {
  const name = location.hash.replace(/^#\/?/, "");
  view.value = Object.hasOwn(VIEWS, name) ? name : "chat";
  sidebarOpen.value = false;
}
