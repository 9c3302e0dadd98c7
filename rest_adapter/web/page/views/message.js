/** One message of a conversation, and what can be done with it. */

import {
  continueAnswer,
  editMessage,
  regenerate,
  removeOldestTurn,
  running,
  streaming,
} from "../state/chat_session.js";
import { isCutByContext } from "../state/context.js";
import { current } from "../state/conversations.js";
import { countTurns } from "../state/messages.js";
import { addNote } from "../state/notes.js";
import { model } from "../state/server.js";
import { canAsk } from "../state/sending.js";
import { formatCount } from "../text/format.js";
import { html, useState } from "../ui.js";
import { Boundary } from "./boundary.js";
import { writeClipboard } from "./copy.js";
import { Icon, Logo } from "./icons.js";
import { MessageImages } from "./images.js";
import { MarkdownText } from "./markdown_text.js";
import { MessageEditor } from "./message_editor.js";
import { TokenText } from "./probabilities.js";
import { focusComposer } from "./shell.js";
import { Statistics } from "./statistics.js";
import { Thinking } from "./thinking.js";
import { ToolCalls } from "./tool_calls.js";

const FINISHES = { length: "Cut at the length limit.", stopped: "Stopped.", full: "Cut at the end of the context." };
const WORD_STAYS_MS = 1500;

/**
 * One message.
 * @param {{message: import("../state/messages.js").Message, isLast: boolean}} props
 * @returns {object} a virtual node
 */
export function Message({ message, isLast }) {
  return html`
    <${Boundary} name="This message" text=${message.content} about=${message}>
      ${
        message.role === "user"
          ? html`<${Question} message=${message} />`
          : html`<${Answer} message=${message} isLast=${isLast} />`
      }
    <//>
  `;
}

function Question({ message }) {
  const [isEdited, setEdited] = useState(false);
  const save = (text, images) => {
    // What cannot be sent stays in the editor.
    if (!canAsk()) return;
    setEdited(false);
    focusComposer();
    void editMessage(message.id, text, images);
  };
  return html`
    <article class="message question" aria-label="You">
      ${!isEdited && message.images.length > 0 && html`<${MessageImages} images=${message.images} />`}
      ${isEdited
        ? html`<${MessageEditor} message=${message} onSave=${save} onCancel=${() => setEdited(false)} />`
        : message.content && html`<div class="bubble">${message.content}</div>`}
      ${!isEdited &&
      html`
        <div class="message-foot">
          <${CopyButton} text=${message.content} />
          <${ActionButton} name="Edit" icon="edit" isOff=${running.value !== null} onClick=${() => setEdited(true)} />
        </div>
      `}
    </article>
  `;
}

function Answer({ message, isLast }) {
  const isRunning = running.value?.messageId === message.id;
  return html`
    <article class=${`message answer ${isLast ? "last" : ""}`} aria-label="Assistant" aria-busy=${String(isRunning)}>
      <${Logo} />
      <div class="answer-body">
        <${AnswerText} message=${message} isLast=${isLast} isRunning=${isRunning} />
        ${!isRunning && html`<${AnswerEnd} message=${message} isLast=${isLast} />`}
      </div>
    </article>
  `;
}

/** One component for the text while it grows and afterwards, so that its end does not draw everything again. */
function AnswerText({ message, isLast, isRunning }) {
  const isGrowing = isRunning && streaming.value?.messageId === message.id;
  const shown = isGrowing ? streaming.value : { ...message, text: message.content };
  const { text, tokens, reasoning = "", reasoningMs = null, toolCalls = [] } = shown;
  const isThinking = isRunning && !text && toolCalls.length === 0;
  return html`
    ${reasoning && html`<${Thinking} text=${reasoning} ms=${reasoningMs} ...${{ isThinking, isGrowing: isRunning }} />`}
    ${tokens?.length > 0 && html`<${TokenText} tokens=${tokens} />`}
    ${text && !tokens?.length && html`<${MarkdownText} text=${text} isGrowing=${isRunning} />`}
    ${toolCalls.length > 0 && html`<${ToolCalls} calls=${toolCalls} ...${{ message, isLast, isRunning }} />`}
    ${isThinking && !reasoning && html`<${Waiting} />`}
  `;
}

function Waiting() {
  return html`<p class="waiting"><span class="sr-only">Waiting for the first token</span><i></i><i></i><i></i></p>`;
}

function AnswerEnd({ message, isLast }) {
  const isOff = running.value !== null;
  // The buttons go away with the click; the focus must not go with them.
  const ask = (start) => () => {
    focusComposer();
    void start();
  };
  const finish = isCutByContext(message, model.value?.nCtxSlot) ? "full" : message.finish;
  const canContinue = isLast && message.content && !message.toolCalls?.length && message.finish !== "stop";
  return html`
    ${message.error && html`<p class="message-error"><strong>${
      message.isTooLong ? "This conversation does not fit." : "This answer failed."
    }</strong> ${message.error}</p>`}
    ${message.isTooLong && isLast && html`<${TooLong} ask=${ask} isOff=${isOff} />`}
    ${FINISHES[finish] && html`<p class="finish soft">${FINISHES[finish]}</p>`}
    <${LeftOut} nTokens=${message.statistics?.nTruncatedTokens ?? null} />
    <div class="message-foot">
      ${message.content && html`<${CopyButton} text=${message.content} />`}
      ${isLast && html`<${ActionButton} name="Regenerate" icon="repeat" isOff=${isOff} onClick=${ask(() => regenerate())} />`}
      ${canContinue &&
      html`<${ActionButton} name="Continue" icon="forward" isOff=${isOff} onClick=${ask(continueAnswer)} />`}
      <${Statistics} statistics=${message.statistics} />
    </div>
  `;
}

/** What can be done with a conversation that does not fit into the context. */
function TooLong({ ask, isOff }) {
  const canRemove = countTurns(current.value?.messages ?? []) > 1;
  return html`
    <p class="too-long">
      ${canRemove &&
      html`<button type="button" class="button small" disabled=${isOff} onClick=${ask(removeOldestTurn)}>
        Remove the oldest turn and ask again
      </button>`}
      <button type="button" class="button small" disabled=${isOff} onClick=${ask(() => regenerate({ truncates: true }))}>
        Send anyway, without the oldest part
      </button>
    </p>
  `;
}

/** What the model did not see, if anything. */
function LeftOut({ nTokens }) {
  if (nTokens === null) return null;
  const part = nTokens > 0 ? `its oldest ${formatCount(nTokens, "token")}` : "its oldest part";
  return html`<p class="finish left-out">The conversation did not fit into the context: the model did not see ${part}.</p>`;
}

function ActionButton({ name, icon, isOff = false, onClick }) {
  return html`
    <button
      type="button"
      class="button quiet small round"
      aria-label=${name}
      title=${name}
      disabled=${isOff}
      onClick=${onClick}
    >
      <${Icon} name=${icon} />
    </button>
  `;
}

function CopyButton({ text }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await writeClipboard(text))) {
      addNote("error", "The browser does not let this page copy. Select the text and copy it yourself.");
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), WORD_STAYS_MS);
  };
  return html`
    <${ActionButton} name="Copy" icon=${isCopied ? "check" : "copy"} onClick=${copy} />
    <span class="sr-only" role="status">${isCopied ? "Copied" : ""}</span>
  `;
}
