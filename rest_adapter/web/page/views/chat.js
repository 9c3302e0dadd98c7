/** The conversation in sight. */

import { current } from "../state/conversations.js";
import { model } from "../state/server.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Boundary } from "./boundary.js";
import { Composer } from "./composer.js";
import { ContextMeter } from "./context_meter.js";
import { addImages, draftText, noImagesReason } from "./draft.js";
import { Icon, Logo } from "./icons.js";
import { Message } from "./message.js";
import { ProbabilityLegend } from "./probabilities.js";
import { focusComposer } from "./shell.js";
import { useStickyEnd } from "./sticky_end.js";
import { SystemPrompt } from "./system_prompt.js";

const PROMPTS = [
  { title: "Explain something", text: "Explain in simple words how a refrigerator keeps food cold." },
  { title: "Write a message", text: "Write a short, friendly message that invites neighbours to a summer party." },
  { title: "Write some code", text: "Write a Python function that returns the n-th Fibonacci number." },
  { title: "Find ideas", text: "Give me five ideas for a rainy Sunday with children." },
];

/** @returns {object} the view, a virtual node */
export function ChatView() {
  const messages = current.value?.messages ?? [];
  const log = useRef(null);
  const { isAway, jump } = useStickyEnd(log, current.value?.id, messages.length);
  const { isOver, ...dropZone } = useDrop();
  const jumpToLatest = () => {
    jump();
    focusComposer();
  };
  return html`
    <section class=${`chat ${isOver ? "drop-target" : ""}`} aria-label="Chat" ...${dropZone}>
      ${isOver && html`<p class="drop-hint">${noImagesReason.value || "Drop images to add them to your message"}</p>`}
      <div class="log scrolling" ref=${log} role="log" aria-label="Conversation" tabindex="0">
        <div class="log-content">
          <${Boundary} key=${current.value?.id} name="The system prompt"><${SystemPrompt} /><//>
          ${messages.length === 0 ? html`<${Empty} />` : html`<h1 class="sr-only">${current.value.title}</h1>`}
          ${messages.some(({ tokens }) => tokens?.length) && html`<${ProbabilityLegend} />`}
          ${messages.map(
            (message, number) =>
              html`<${Message} key=${message.id} message=${message} isLast=${number === messages.length - 1} />`,
          )}
        </div>
      </div>
      <div class="chat-foot">
        ${isAway &&
        html`
          <button type="button" class="button jump" onClick=${jumpToLatest}>
            <${Icon} name="arrowDown" />Jump to latest
          </button>
        `}
        <${Boundary} name="The place to write"><${Composer} /><//>
        <${Boundary} name="The size of the conversation"><${ContextMeter} /><//>
        <p class="caution soft">
          Answers can be wrong. <span class="where">Conversations stay in this browser.</span>
        </p>
      </div>
    </section>
  `;
}

function Empty() {
  const propose = (text) => {
    draftText.value = text;
    focusComposer();
  };
  return html`
    <div class="empty">
      <${Logo} />
      <h1>What can I help with?</h1>
      <p class="soft">
        ${model.value ? `${model.value.name} answers, on this server.` : "The model answers as soon as it is ready."}
      </p>
      <ul class="prompts" aria-label="Examples">
        ${PROMPTS.map(
          ({ title, text }) => html`
            <li key=${title}>
              <button type="button" onClick=${() => propose(text)}>
                <strong>${title}</strong><span>${text}</span>
              </button>
            </li>
          `,
        )}
      </ul>
    </div>
  `;
}

/** Image files may be dropped anywhere on the chat; a file beside it must not replace the page. */
function useDrop() {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const refuse = (event) => event.preventDefault();
    window.addEventListener("dragover", refuse);
    window.addEventListener("drop", refuse);
    return () => {
      window.removeEventListener("dragover", refuse);
      window.removeEventListener("drop", refuse);
    };
  }, []);
  return {
    isOver,
    onDragOver: (event) => setOver(event.dataTransfer.types.includes("Files")),
    onDragLeave: (event) => {
      // Moving on to an element inside is not leaving.
      if (!event.currentTarget.contains(event.relatedTarget)) setOver(false);
    },
    onDrop: (event) => {
      setOver(false);
      void addImages(event.dataTransfer.files);
    },
  };
}
