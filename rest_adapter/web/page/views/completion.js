/** A text that the model goes on with. */

import { html, useEffect, useLayoutEffect, useRef } from "../ui.js";
import {
  canUndoGenerate,
  completionResult,
  completionRunning,
  completionText,
  generate,
  stopGenerating,
  undoGenerate,
} from "../state/completion_session.js";
import { HighlightedText } from "./completion_highlight.js";
import { ProbabilityLegend, TokenText } from "./probabilities.js";
import { Statistics } from "./statistics.js";

const NEAR_PX = 300;

/**
 * The completion mode: the text is the prompt, and grows where it ends.
 * @returns {object} a virtual node
 */
export function CompletionView() {
  const result = completionResult.value;
  const isRunning = completionRunning.value;
  // At the end: while the text grows, its own marks show the same, and one of them is enough to draw.
  const tokens = isRunning ? [] : (result?.tokens ?? []);
  const box = useRef(null);
  const place = useRef(null);
  const watchScroll = useFollowedEnd(place, isRunning, completionText.value);
  useKeys(isRunning);
  // A button that has done its work is off, and the focus needs another place.
  const then = (act) => () => {
    box.current.focus({ preventScroll: true });
    act();
  };
  return html`
    <section
      class="completion scrolling page-view"
      aria-labelledby="completion-title"
      ref=${place}
      onScroll=${watchScroll}
    >
      <h1 id="completion-title" class="sr-only">Completion</h1>
      <div class="completion-paper">
        <${HighlightedText} />
        <textarea
          ref=${box}
          aria-label="Text"
          placeholder="Write the beginning. The model goes on where it ends."
          readonly=${isRunning}
          value=${completionText.value}
          onInput=${(event) => (completionText.value = event.currentTarget.value)}
        ></textarea>
      </div>
      <div class="completion-bar">
        <button type="button" class="button primary" disabled=${isRunning} onClick=${then(generate)}>Generate</button>
        <button type="button" class="button" disabled=${!isRunning} onClick=${then(stopGenerating)}>Stop</button>
        <button type="button" class="button" disabled=${!canUndoGenerate.value} onClick=${then(undoGenerate)}>
          Undo
        </button>
        <span class="soft keys">Ctrl+Enter generates, Escape stops</span>
      </div>
      ${result?.statistics && html`<${Statistics} statistics=${result.statistics} />`}
      ${
        tokens.length > 0 &&
        html`<details class="completion-tokens" open>
          <summary>Generated tokens</summary>
          <${ProbabilityLegend} />
          <${TokenText} tokens=${tokens} />
        </details>`
      }
    </section>
  `;
}

/** Keeps the end of the growing text in sight, unless the reader has gone up to read. */
function useFollowedEnd(place, isRunning, text) {
  const isNear = useRef(true);
  useLayoutEffect(() => {
    isNear.current = true;
  }, [isRunning]);
  useLayoutEffect(() => {
    if (isRunning && isNear.current) place.current.scrollTop = place.current.scrollHeight;
  }, [isRunning, text]);
  return ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
    isNear.current = scrollHeight - scrollTop - clientHeight <= NEAR_PX;
  };
}

function useKeys(isRunning) {
  useEffect(() => {
    const onKeyDown = (event) => {
      if (event.isComposing || document.querySelector("dialog[open]")) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isRunning) generate();
      else if (event.key === "Escape" && isRunning) stopGenerating();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [isRunning]);
}
