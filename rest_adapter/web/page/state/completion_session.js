/** Completing a text. */

import { batch, computed, signal } from "../../vendor/signals-core.js";
import { ApiError, streamCompletion } from "../api.js";
import { Answer } from "./answer.js";
import { clock } from "./clock.js";
import { addNote } from "./notes.js";
import { requestFields } from "./options.js";
import { answerSchema, checkSchema, schemaRefusal, schemaText } from "./schema.js";
import { checkServer } from "./server.js";
import { kept } from "./storage.js";
import { errorWords } from "./words.js";

/** The text, which a run goes on with. */
export const completionText = kept("slotline.completion", "", {
  accepts: (value) => typeof value === "string",
  isText: true,
});

/** Whether a run is under way; the text is not to be edited then. */
export const completionRunning = signal(false);

/**
 * The last run, null if there was none: where its text starts, its tokens (with n_probs), and figures once it ended.
 *
 * @type {import("../../vendor/signals-core.js").Signal<null|{start: number,
 *   tokens: import("./messages.js").TokenView[], statistics: import("./messages.js").Statistics|null}>}
 */
export const completionResult = signal(null);

// The text before the last run and after it.
const lastRun = signal(null);

/** Whether there is a run to undo. */
export const canUndoGenerate = computed(() => lastRun.value !== null && !completionRunning.value);

const LEFT_OUT = "The text does not fit into the context. The model did not see its oldest part.";

let controller = null;
let ended = Promise.resolve();

/**
 * Go on with the text.
 *
 * @returns {Promise<boolean>} true when the run has ended, in whatever way; false at once if one is under way, or the
 *   schema cannot be sent
 */
export async function generate() {
  if (completionRunning.peek() || !checkSchema()) {
    return false;
  }
  controller = new AbortController();
  completionRunning.value = true;
  ended = write(completionText.peek(), controller.signal);
  await ended;
  return true;
}

/**
 * End the run; what has come of it stays.
 *
 * @returns {Promise<void>} when it has ended
 */
export async function stopGenerating() {
  controller?.abort();
  await ended;
}

/** Take back what the last run added; what was edited since then goes, too. */
export function undoGenerate() {
  if (!canUndoGenerate.peek()) {
    return;
  }
  batch(() => {
    completionText.value = lastRun.peek().before;
    completionResult.value = null;
    lastRun.value = null;
  });
}

async function write(before, abort) {
  const answer = new Answer();
  const schema = answerSchema();
  const sentSchema = schemaText.peek();
  let isFrameDue = false;
  const publish = (statistics) =>
    batch(() => {
      completionText.value = before + answer.text;
      completionResult.value = { start: before.length, tokens: [...answer.tokens], statistics };
    });
  try {
    publish(null);
    const body = { prompt: before, ...requestFields(), ...(schema && { json_schema: schema }) };
    for await (const event of streamCompletion(body, { signal: abort })) {
      answer.takeCompletion(event);
      if (event.truncated) addNote("info", LEFT_OUT);
      if (!isFrameDue) {
        isFrameDue = true;
        clock.onFrame(() => {
          isFrameDue = false;
          if (completionRunning.peek() && controller.signal === abort) {
            publish(null);
          }
        });
      }
    }
  } catch (error) {
    if (!abort.aborted) {
      schemaRefusal.take(error, sentSchema);
      checkServer();
      addNote("error", error instanceof ApiError ? errorWords(error) : `The page failed: ${error.message}`);
    }
  } finally {
    batch(() => {
      publish(answer.statistics());
      lastRun.value = { before };
      completionRunning.value = false;
    });
  }
}
