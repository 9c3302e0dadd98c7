/** What the server does at the moment. */

import { clock } from "../state/clock.js";
import { requestKey } from "../state/key.js";
import { access, problem, reading, slots, startMonitor, stopMonitor } from "../state/monitor.js";
import { model, server } from "../state/server.js";
import { formatCount, formatNumber } from "../text/format.js";
import { formatBytes, formatPart, formatUptime } from "../text/quantities.js";
import { html, useEffect } from "../ui.js";
import { Facts } from "./facts.js";
import { Bar, SlotTable } from "./slot_table.js";
import { Throughput } from "./throughput.js";

/** @returns {object} the view, a virtual node */
export function MonitorView() {
  useEffect(runWhileVisible, []);
  return html`
    <div class="page-view scrolling" role="group" aria-label="Monitor" tabindex="0">
      <div class=${`monitor ${isHidden("metrics") ? "without-metrics" : ""}`}>
        <div class="monitor-head">
          <h1>Monitor</h1>
          <p class="monitor-problem" role="status">${problemText()}</p>
          <${Notices} />
        </div>
        <${Region} name="State"><${State} /><//>
        <${Region} name="Throughput" needs="metrics"><${Throughput} /><//>
        <${Region} name="Queue" needs="metrics"><${Queue} /><//>
        <${Region} name="Memory" needs="metrics"><${Memory} /><//>
        <${Region} name="Slots" needs="slots"><${Slots} /><//>
      </div>
    </div>
  `;
}

/** That the server is away is said at the top of the page. */
function problemText() {
  if (!problem.value) return "";
  return server.value.phase === "ready" ? `Showing the last values: ${problem.value}` : "Showing the last values.";
}

const HOW_TO_SEE = {
  metrics: html`Metrics are off: start the server with <code>--metrics</code> to see speed, queue and memory.`,
  slots: html`Slots are hidden: start the server without <code>--slots-endpoint-disable</code> to see them.`,
};

function Notices() {
  const states = Object.entries(access.value);
  const off = states.filter(([, state]) => state === "off");
  return html`
    ${off.map(([name]) => html`<p key=${name} class="monitor-notice">${HOW_TO_SEE[name]}</p>`)}
    ${states.some(([, state]) => state === "denied") && html`<${KeyNotice} />`}
  `;
}

function KeyNotice() {
  return html`
    <p class="monitor-notice">
      <span>The server shows this only with an API key.</span>
      <button type="button" class="button" onClick=${() => void requestKey()}>Enter API key</button>
    </p>
  `;
}

function Region({ name, needs, children }) {
  return html`
    <section class=${`panel monitor-${name.toLowerCase()}`} aria-label=${name}>
      <h2>${name}</h2>
      ${isKnown(needs) ? children : html`<p class="soft">${MISSING[access.value[needs]]}</p>`}
    </section>
  `;
}

const WAITING = "Waiting for the server.";
const MISSING = { unknown: WAITING, on: WAITING, off: "Switched off.", denied: "Needs an API key." };

function isHidden(name) {
  return access.value[name] === "off" || access.value[name] === "denied";
}

function isKnown(needs) {
  const answer = needs === "slots" ? slots.value : reading.value;
  return needs === undefined || (answer !== null && !isHidden(needs));
}

const PHASES = {
  connecting: "Connecting",
  loading: "Loading the model",
  ready: "Ready",
  unreachable: "Not reachable",
  failed: "The model could not be loaded",
};
const CORE_STATES = { loading: "Loading the model", draining: "Shutting down" };

function State() {
  const { phase, slotsIdle, slotsProcessing } = server.value;
  const told = reading.value;
  const name = model.value?.name ?? told?.model?.name ?? "\u2013";
  const running = told?.nProcessing ?? slotsProcessing;
  const nSlots = told?.nSlots ?? slotsProcessing + slotsIdle;
  const items = [
    ["Model", html`<span title=${model.value?.id ?? ""}>${name}</span>`],
    ["Server", stateText(phase, told)],
    ["Running", phase === "ready" ? `${formatNumber(running)} of ${formatCount(nSlots, "slot")}` : "\u2013"],
    ["Waiting", told && told.nWaiting !== null && formatCount(told.nWaiting, "request")],
    ["Up for", phase === "ready" && told?.startTimeS && formatUptime(clock.wallTime() / 1000 - told.startTimeS)],
    ["Version", model.value?.version],
  ];
  return html`<${Facts} items=${items.filter(([, value]) => value)} />`;
}

function stateText(phase, told) {
  if (phase !== "ready" && phase !== "loading") return PHASES[phase];
  const word = CORE_STATES[told?.coreState] ?? PHASES[phase];
  const isPartial = told?.coreState === "loading" && told.loadRatio !== null;
  return isPartial ? `${word}, ${formatPart(told.loadRatio)}` : word;
}

function Slots() {
  const all = slots.value;
  const nBusy = all.filter(({ activity }) => activity !== "idle").length;
  const context = model.value?.nCtxSlot;
  const room = context ? `; each has room for ${formatCount(context, "token")}` : "";
  return html`
    <p class="soft region-note">${`${formatNumber(nBusy)} of ${formatCount(all.length, "slot")} busy${room}`}</p>
    <${SlotTable} slots=${all} />
  `;
}

function Queue() {
  const { nWaiting, queueLimit, requests } = reading.value;
  const limit = queueLimit === null ? "" : ` of at most ${formatNumber(queueLimit)}`;
  const part = Math.min(1, (nWaiting ?? 0) / queueLimit);
  const words = formatCount(nWaiting ?? 0, "request");
  return html`
    ${queueLimit > 0 && html`<${Bar} role="meter" label="Requests waiting" part=${part} text=${words} />`}
    <${Facts}
      items=${[
        ["Waiting", `${formatNumber(nWaiting ?? 0)}${limit}`],
        ["Answered", formatNumber(requests.stop + requests.length)],
        ["Cancelled", formatNumber(requests.cancelled)],
        ["Failed", formatNumber(requests.failed)],
      ]}
    />
  `;
}

function Memory() {
  const { kvCells, kvCellsUsed, kvTokens, kvRatio, savedPrompts, savedBytes, tokens } = reading.value;
  const used = kvCells > 0 && kvCellsUsed !== null ? kvCellsUsed / kvCells : (kvRatio ?? 0);
  const promptTokens = (tokens.cached ?? 0) + (tokens.prompt ?? 0);
  const cells = kvCells === null ? formatPart(used) : `${formatNumber(kvCellsUsed ?? 0)} of ${formatNumber(kvCells)}`;
  const saved = savedPrompts > 0 ? `${formatNumber(savedPrompts)}, ${formatBytes(savedBytes ?? 0)}` : "None";
  const items = [
    ["KV cells in use", cells],
    ["Tokens in the cache", kvTokens === null ? "\u2013" : formatNumber(kvTokens)],
    ["Prompts from the cache", promptTokens > 0 ? formatPart((tokens.cached ?? 0) / promptTokens) : "\u2013"],
    ["Saved prompts", savedPrompts === null ? "\u2013" : saved],
  ];
  return html`
    <${Bar} role="meter" label="KV cells in use" part=${used} text=${formatPart(used)} />
    <${Facts} items=${items} />
  `;
}

/** Nobody looks at a hidden tab: it asks for nothing. */
function runWhileVisible() {
  const follow = () => (document.hidden ? stopMonitor() : startMonitor());
  follow();
  document.addEventListener("visibilitychange", follow);
  return () => {
    document.removeEventListener("visibilitychange", follow);
    stopMonitor();
  };
}
