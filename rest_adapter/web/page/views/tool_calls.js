/** The calls of tools that an answer makes, folded, and where one types what the tools give. */

import { giveResults, running } from "../state/chat_session.js";
import { isWhole, openCalls } from "../state/messages.js";
import { canAsk } from "../state/sending.js";
import { formatMs } from "../text/format.js";
import { html, signal } from "../ui.js";
import { shownJson } from "./tool_calls_model.js";
import { LongText } from "./long_text.js";
import { focusComposer } from "./shell.js";

const MOST_BRIEF = 100;

// What is typed, by the id of the call. It outlives a look at another view.
const drafts = signal({});

/**
 * The calls of an answer.
 * @param {{message: import("../state/messages.js").Message, calls: import("../state/messages.js").ToolCall[],
 *   isLast: boolean, isRunning: boolean}} props `calls` may be newer than those of the message
 * @returns {object} a virtual node
 */
export function ToolCalls({ message, calls, isLast, isRunning }) {
  const open = isLast && !isRunning ? openCalls(message) : [];
  const isOff = running.value !== null;
  const canSend = !isOff && open.every(({ id }) => (drafts.value[id] ?? "") !== "");
  const submit = (event) => {
    event?.preventDefault();
    // What cannot be sent stays in the fields.
    if (!canSend || !canAsk()) return;
    const results = Object.fromEntries(open.map(({ id }) => [id, drafts.value[id]]));
    drafts.value = {};
    focusComposer();
    void giveResults(message.id, results);
  };
  return html`
    <form class="tool-calls" onSubmit=${submit}>
      ${calls.map(
        (call, i) =>
          html`<${ToolCall}
            key=${i}
            call=${call}
            isGrowing=${isRunning && i === calls.length - 1}
            isOpen=${open.includes(call)}
            submit=${submit}
          />`,
      )}
      ${open.length > 0 &&
      html`<button type="submit" class="button small primary" disabled=${!canSend}>
        ${open.length > 1 ? "Send results" : "Send result"}
      </button>`}
    </form>
  `;
}

function ToolCall({ call, isGrowing, isOpen, submit }) {
  const time = call.totalMs === null ? "" : formatMs(call.totalMs);
  const isCut = !isGrowing && !isWhole(call);
  return html`
    <details class="aside tool-call" open=${isOpen}>
      <summary>
        ${isGrowing ? "Calls" : "Called"} <code>${call.name}</code>${" "}
        <code class="brief soft">${call.arguments.slice(0, MOST_BRIEF)}</code>
        ${time && html` <span class="soft">in ${time}</span>`}${isCut && html` <span class="soft">(cut)</span>`}
        ${isGrowing && html`<span class="answering" aria-hidden="true"></span>`}
      </summary>
      <div class="aside-body">
        <p class="soft">Arguments</p>
        <pre tabindex="0"><code><${LongText} text=${isGrowing ? call.arguments : shownJson(call.arguments)} /></code></pre>
        ${call.result !== null &&
        html`<p class="soft">Result</p>
          <pre tabindex="0"><code><${LongText} text=${shownJson(call.result)} /></code></pre>`}
        ${isOpen && html`<${Result} call=${call} submit=${submit} />`}
      </div>
    </details>
  `;
}

function Result({ call, submit }) {
  const onKeyDown = (event) => {
    if (event.isComposing || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  };
  return html`
    <textarea
      class="field mono"
      rows="2"
      aria-label=${`Result of ${call.name}`}
      placeholder="Type what the tool gives"
      value=${drafts.value[call.id] ?? ""}
      onInput=${(event) => (drafts.value = { ...drafts.value, [call.id]: event.currentTarget.value })}
      onKeyDown=${onKeyDown}
    ></textarea>
  `;
}
