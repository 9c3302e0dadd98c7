/** How fast the server is: tokens per second of the last minutes, and the times that users feel. */

import { reading, recent, samples } from "../state/monitor.js";
import { SPAN_MS } from "../state/monitor_facts.js";
import { formatMs } from "../text/format.js";
import { formatPart } from "../text/quantities.js";
import { html } from "../ui.js";
import { Chart } from "./chart.js";
import { Facts } from "./facts.js";

const SERIES = [
  { name: "generated", label: "Generated" },
  { name: "prompt", label: "Prompts" },
];

const MINUTE_MS = 60 * 1000;
const SHORT_SPANS_MS = [MINUTE_MS, 2 * MINUTE_MS];

/** @returns {object} the chart and its facts, a virtual node */
export function Throughput() {
  const endMs = reading.value.atMs;
  const spanMs = spanFor(endMs - (samples.value[0]?.fromMs ?? endMs));
  return html`
    <${Chart}
      label=${`Tokens per second in the last ${spanMs === MINUTE_MS ? "minute" : `${spanMs / MINUTE_MS} minutes`}`}
      unit="tokens/s"
      series=${SERIES}
      samples=${samples.value}
      endMs=${endMs}
      spanMs=${spanMs}
    />
    <${Facts} items=${times(recent.value)} />
    <p class="soft chart-words">
      Times of the last five minutes: half of them are below the first, 95% below the second.
    </p>
  `;
}

/** Somebody who has just come sees no chart that is almost empty. */
function spanFor(ageMs) {
  return SHORT_SPANS_MS.find((spanMs) => ageMs < spanMs) ?? SPAN_MS;
}

function times(told) {
  const items = [
    ["First token after", distributionText(told?.firstToken)],
    ["Between two tokens", distributionText(told?.betweenTokens)],
    ["Wait for a slot", distributionText(told?.queueTime)],
    ["Engine at work", workText(told)],
  ];
  return items.filter(([, text]) => text !== null);
}

/** null where the server does not tell it. */
function distributionText(one) {
  if (one === null) return null;
  if (!one || one.median === null) return "\u2013";
  return html`${timeText(one.median)} <span class="high">95%: ${timeText(one.high)}</span>`;
}

function timeText(seconds) {
  // Bounds of buckets are finer than a millisecond.
  return seconds < 0.01 ? `${(seconds * 1000).toFixed(1)} ms` : formatMs(seconds * 1000);
}

function workText(told) {
  if (!told || told.busy === null) return "\u2013";
  if (told.phases === null) return formatPart(0);
  return html`${formatPart(told.busy)} <span class="high">${formatPart(told.phases.model)} of it in the model</span>`;
}
