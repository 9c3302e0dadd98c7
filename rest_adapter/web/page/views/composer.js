/** Where messages are written. */

import { running, send, stop } from "../state/chat_session.js";
import { current } from "../state/conversations.js";
import { canAsk } from "../state/sending.js";
import { html, useEffect, useLayoutEffect, useRef } from "../ui.js";
import {
  ACCEPTED_IMAGES,
  addImages,
  canTakeImages,
  draftImages,
  draftText,
  imagesAreRead,
  isDraftEmpty,
  noImagesReason,
  removeImage,
  takeDraft,
} from "./draft.js";
import { Icon } from "./icons.js";
import { RemovableImages } from "./images.js";
import { focusComposer, shortcutsOpen } from "./shell.js";

const MOST_ROWS_PX = 240;

/** @returns {object} the form, a virtual node */
export function Composer() {
  const field = useRef(null);
  const isRunning = running.value !== null;
  const canSend = !isRunning && !isDraftEmpty.value;
  const id = current.value?.id;
  useEffect(focusComposer, [id]);
  const submit = async (event) => {
    event.preventDefault();
    // A message goes with all of its images.
    await imagesAreRead();
    // What cannot be sent stays in the field, as does what was meant for a conversation that is no longer shown.
    if (current.value?.id !== id || running.value !== null || isDraftEmpty.value || !canAsk()) return;
    const { text, images } = takeDraft();
    void send(text, images);
    // Another view may be shown by now.
    field.current?.focus();
  };
  const stopAnswer = () => {
    void stop();
    focusComposer();
  };
  return html`
    <form class="composer" onSubmit=${submit}>
      <${RemovableImages} images=${draftImages.value} onRemove=${removeImage} />
      <${Field} field=${field} onSubmit=${submit} />
      <div class="composer-bar">
        <${AddImage} />
        <button
          type="button"
          class="button quiet round"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts"
          onClick=${() => (shortcutsOpen.value = true)}
        >
          <${Icon} name="keyboard" />
        </button>
        <${Hint} />
        ${isRunning
          ? html`<${Stop} key="stop" onClick=${stopAnswer} />`
          : html`<${Send} key="send" canSend=${canSend} />`}
      </div>
    </form>
  `;
}

function Hint() {
  const isElsewhere = running.value !== null && running.value.conversationId !== current.value?.id;
  const text = isElsewhere ? "Another conversation is being answered" : "Enter sends, Shift+Enter makes a new line";
  return html`<span class="composer-hint soft">${text}</span>`;
}

function Send({ canSend }) {
  return html`
    <button type="submit" class="button primary round send" aria-label="Send" title="Send" disabled=${!canSend}>
      <${Icon} name="arrowUp" />
    </button>
  `;
}

function Stop({ onClick }) {
  return html`
    <button type="button" class="button primary round send" aria-label="Stop" title="Stop (Escape)" onClick=${onClick}>
      <${Icon} name="stop" />
    </button>
  `;
}

function Field({ field, onSubmit }) {
  const text = draftText.value;
  useLayoutEffect(() => {
    const { style } = field.current;
    style.height = "auto";
    style.height = `${Math.min(field.current.scrollHeight, MOST_ROWS_PX)}px`;
  }, [text]);
  const onKeyDown = (event) => {
    // With an input method, Enter chooses a word; 229 is how some browsers tell.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    onSubmit(event);
  };
  const onPaste = (event) => {
    const { files, types } = event.clipboardData;
    // Office programs put a picture of a text beside the text.
    if (!files.length || types.includes("text/plain")) return;
    event.preventDefault();
    void addImages(files);
  };
  return html`
    <textarea
      ref=${field}
      rows="1"
      aria-label="Message"
      placeholder="Write a message"
      value=${text}
      onInput=${(event) => (draftText.value = event.currentTarget.value)}
      onKeyDown=${onKeyDown}
      onPaste=${onPaste}
    ></textarea>
  `;
}

/** One that cannot be used can still be reached, and says why. */
function AddImage() {
  const files = useRef(null);
  const reason = noImagesReason.value;
  const choose = () => {
    if (canTakeImages()) files.current.click();
  };
  const take = async ({ currentTarget }) => {
    await addImages(currentTarget.files);
    // So that the same file can be chosen again.
    currentTarget.value = "";
  };
  return html`
    <button
      type="button"
      class="button quiet round"
      aria-label="Add image"
      aria-disabled=${reason ? "true" : undefined}
      aria-description=${reason || undefined}
      title=${reason || "Add image"}
      onClick=${choose}
    >
      <${Icon} name="image" />
    </button>
    <input type="file" hidden multiple accept=${ACCEPTED_IMAGES} ref=${files} onChange=${take} />
  `;
}
