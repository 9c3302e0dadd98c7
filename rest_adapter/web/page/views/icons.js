/** Line icons, 24 by 24, drawn in the colour of the text. They are decoration: what holds them has a name. */

import { html } from "../ui.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  arrowDown: "M12 5v14M6 13l6 6 6-6",
  arrowUp: "M12 19V5M6 11l6-6 6 6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  delete: "M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13",
  edit: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19z",
  export: "M12 4v11M7.5 10.5L12 15l4.5-4.5M4 19.5h16",
  forward: "M5 6l7 6-7 6zM13 6l7 6-7 6z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  import: "M12 15V4M7.5 8.5L12 4l4.5 4.5M4 19.5h16",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M17.5 10h.01M7 14h10",
  list: "M4 6h16M4 12h10M4 18h13",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  options: "M4 7h9M19 7h1M4 17h1M11 17h9M13 7a3 3 0 1 0 6 0 3 3 0 1 0-6 0M5 17a3 3 0 1 0 6 0 3 3 0 1 0-6 0",
  repeat: "M20 11a8 8 0 1 0-2.3 6.2M20 4v7h-7",
  stop: "M8 8h8v8H8z",
  search: "M4.5 10.5a6 6 0 1 0 12 0 6 6 0 1 0-12 0M15 15l5 5",
};

/**
 * One icon.
 * @param {{name: keyof typeof PATHS}} props
 * @returns {object} a virtual node
 */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

/** @returns {object} the logo, a virtual node */
export function Logo() {
  return html`
    <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
      <rect width="16" height="16" rx="3.5" fill="#0f766e" />
      <path d="M3.5 4.5h9M3.5 8h6M3.5 11.5h7.5" stroke="#fff" stroke-width="1.6" stroke-linecap="round" />
    </svg>
  `;
}
