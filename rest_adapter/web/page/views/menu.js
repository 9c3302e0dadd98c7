/** A button that opens a menu. */

import { html, useId, useRef } from "../ui.js";
import { Icon } from "./icons.js";

const GAP_PX = 4;

/**
 * A button with a menu under it. Arrow keys, Home and End walk; Escape closes.
 * @param {{label: string, items: {text: string, icon: string, isDangerous?: boolean, onChoose: () => void}[]}} props
 * @returns {object} a virtual node
 */
export function MenuButton({ label, items }) {
  const id = useId();
  const menu = useRef(null);
  const button = useRef(null);
  const onToggle = (event) => {
    const isOpen = event.newState === "open";
    button.current?.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) menu.current.querySelector("button").focus();
  };
  const choose = (item) => {
    menu.current.hidePopover();
    button.current.focus();
    item.onChoose();
  };
  return html`
    <button
      type="button"
      class="button quiet small round more"
      ref=${button}
      aria-label=${label}
      aria-haspopup="menu"
      aria-expanded="false"
      popovertarget=${id}
    >
      <${Icon} name="more" />
    </button>
    <div
      class="menu"
      role="menu"
      aria-label=${label}
      id=${id}
      popover="auto"
      ref=${menu}
      onBeforeToggle=${() => place(menu.current, button.current)}
      onToggle=${onToggle}
      onKeyDown=${walk}
    >
      ${items.map(
        (item) => html`
          <button
            type="button"
            role="menuitem"
            tabindex="-1"
            key=${item.text}
            class=${item.isDangerous ? "danger" : ""}
            onClick=${() => choose(item)}
          >
            <${Icon} name=${item.icon} />${item.text}
          </button>
        `,
      )}
    </div>
  `;
}

function place(menu, button) {
  const { left, bottom, top } = button.getBoundingClientRect();
  // Near the lower end of the window the menu opens upwards.
  const isLow = bottom > window.innerHeight * 0.7;
  menu.style.top = isLow ? "auto" : `${bottom + GAP_PX}px`;
  menu.style.bottom = isLow ? `${window.innerHeight - top + GAP_PX}px` : "auto";
  menu.style.left = `${Math.min(left, window.innerWidth - 180)}px`;
}

function walk(event) {
  const items = [...event.currentTarget.querySelectorAll("button")];
  const now = items.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length).focus();
}
