/** A message of the reader's, being changed. */

import { html, useLayoutEffect, useRef, useState } from "../ui.js";
import { RemovableImages } from "./images.js";

/**
 * A field with the text of a message, and its images, which can be taken out. Ctrl+Enter saves, Escape cancels.
 * @param {{message: import("../state/messages.js").Message, onCancel: () => void,
 *   onSave: (text: string, images: import("../state/pictures.js").Picture[]) => void}} props
 * @returns {object} a virtual node
 */
export function MessageEditor({ message, onSave, onCancel }) {
  const text = message.content;
  const field = useRef(null);
  const [images, setImages] = useState(message.images);
  const [draft, setDraft] = useState(text);
  useLayoutEffect(() => {
    const article = field.current.closest("article");
    field.current.focus();
    field.current.setSelectionRange(text.length, text.length);
    // Back to the button that opened the editor, unless the reader has gone elsewhere.
    return () => requestAnimationFrame(() => isNowhere() && article.querySelector("[aria-label=Edit]")?.focus());
  }, []);
  useLayoutEffect(() => {
    field.current.style.height = "auto";
    field.current.style.height = `${field.current.scrollHeight + 2}px`;
  }, [draft]);
  const canSave = draft.trim() !== "" || images.length > 0;
  const save = () => canSave && onSave(draft.trim(), images);
  const remove = (image) => setImages(images.filter(({ id }) => id !== image.id));
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else return;
    event.preventDefault();
  };
  return html`
    <div class="editor">
      <${RemovableImages} images=${images} onRemove=${remove} />
      <textarea
        class="field"
        ref=${field}
        aria-label="Edit message"
        value=${draft}
        onInput=${(event) => setDraft(event.currentTarget.value)}
        onKeyDown=${onKeyDown}
      ></textarea>
      <div class="editor-buttons">
        <span class="soft">What follows is answered again.</span>
        <button type="button" class="button small" onClick=${onCancel}>Cancel</button>
        <button type="button" class="button small primary" disabled=${!canSave} onClick=${save}>Save and answer</button>
      </div>
    </div>
  `;
}

function isNowhere() {
  return document.activeElement === null || document.activeElement === document.body;
}
