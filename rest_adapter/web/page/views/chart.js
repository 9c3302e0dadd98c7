/** A chart of rates over time: one panel for each series, all with the same time below and one cursor. */

import { formatNumber, formatRate } from "../text/format.js";
import { formatAgo } from "../text/quantities.js";
import { html, useLayoutEffect, useRef, useState } from "../ui.js";
import { nearestSample, niceTop, stepPath, timeMarks } from "./chart_lines.js";

const LEFT = 46;
const RIGHT = 10;
const PANEL = 96;
const TITLE = 26;
const BOTTOM = 24;
const ROOM_OF_MARK = 80;
const HINT = "Point at the chart, or move in it with the arrow keys, to read a moment.";

/**
 * @typedef {{fromMs: number, atMs: number} & Object<string, number | null>} Sample a rate holds from `fromMs` to `atMs`
 * @typedef {{name: string, label: string}} Series `name` is the sample's field
 */

/**
 * @param {{label: string, unit: string, series: Series[], samples: Sample[], endMs: number, spanMs: number}} props
 * @returns {object} the chart, a virtual node
 */
export function Chart({ label, unit, series, samples, endMs, spanMs }) {
  const frame = useRef(null);
  const width = useWidth(frame);
  const [cursorMs, setCursor] = useState(null);
  const height = series.length * (TITLE + PANEL) + BOTTOM;
  const right = width - RIGHT;
  const xOf = (ms) => Math.max(LEFT, LEFT + ((right - LEFT) * (ms - endMs + spanMs)) / spanMs);
  // The cursor stays at its distance from now, while time goes on below it.
  const shown = cursorMs === null ? null : nearestSample(samples, endMs - cursorMs);
  const panels = series.map((one, index) => ({ ...one, top: index * (TITLE + PANEL) + TITLE, number: index + 1 }));
  return html`
    <div class="chart" ref=${frame}>
      <svg
        width=${width}
        height=${height}
        viewBox=${`0 0 ${width} ${height}`}
        role="img"
        aria-label=${`${label}. ${summary(series, samples, unit)}`}
      >
        <${TimeAxis} xOf=${xOf} endMs=${endMs} spanMs=${spanMs} bottom=${height - BOTTOM} />
        ${panels.map((panel) => html`<${Panel} key=${panel.name} ...${{ panel, samples, xOf, right, unit, shown }} />`)}
        ${shown && html`<${Cursor} x=${xOf(shown.atMs)} bottom=${height - BOTTOM} />`}
      </svg>
      <${Touch} ...${{ cursorMs, setCursor, spanMs, text: readout(series, shown ?? samples.at(-1), endMs, unit) }} />
      <p class="chart-readout soft" aria-hidden="true">${shown ? readout(series, shown, endMs, unit) : HINT}</p>
    </div>
  `;
}

/** Lies over the chart: a pointer or the arrow keys choose the moment that is read out. */
function Touch({ cursorMs, setCursor, spanMs, text }) {
  const move = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const part = (event.clientX - box.left - LEFT) / Math.max(1, box.width - LEFT - RIGHT);
    setCursor((1 - Math.min(1, Math.max(0, part))) * spanMs);
  };
  return html`
    <div
      class="chart-touch"
      role="slider"
      tabindex="0"
      aria-label="Moment in the chart"
      aria-orientation="horizontal"
      aria-valuemin=${-spanMs / 1000}
      aria-valuemax="0"
      aria-valuenow=${-Math.round((cursorMs ?? 0) / 1000)}
      aria-valuetext=${text}
      onPointerMove=${move}
      onPointerDown=${move}
      onPointerLeave=${() => setCursor(null)}
      onFocus=${() => setCursor((before) => before ?? 0)}
      onBlur=${() => setCursor(null)}
      onKeyDown=${(event) => moveByKey(event, setCursor, spanMs)}
    />
  `;
}

function Panel({ panel, samples, xOf, right, unit, shown }) {
  const { name, label, top, number } = panel;
  const largest = Math.max(0, ...samples.map((sample) => sample[name] ?? 0));
  const most = niceTop(largest);
  const bottom = top + PANEL - 12;
  const yOf = (value) => bottom - ((bottom - top) * value) / most;
  const { line, area } = stepPath(samples, name, xOf, yOf, bottom);
  const current = samples.at(-1)?.[name] ?? null;
  return html`
    <g class=${`chart-series-${number}`}>
      <line class="chart-key" x1=${LEFT} x2=${LEFT + 18} y1=${top - 13} y2=${top - 13} />
      <text class="chart-title" x=${LEFT + 25} y=${top - 9}>${label}</text>
      <text class="chart-now" x=${right} y=${top - 9} text-anchor="end">${rateText(current, unit)}</text>
      ${[0, most / 2, most].map(
        (value) => html`
          <g key=${value}>
            <line class="chart-grid" x1=${LEFT} x2=${right} y1=${yOf(value)} y2=${yOf(value)} />
            <text class="chart-tick" x=${LEFT - 7} y=${yOf(value) + 4} text-anchor="end">${tickText(value)}</text>
          </g>
        `,
      )}
      <path class="chart-area" d=${area} />
      <path class="chart-line" d=${line} />
      ${Number.isFinite(shown?.[name]) &&
      html`<circle class="chart-dot" cx=${xOf(shown.atMs)} cy=${yOf(shown[name])} r="3.5" />`}
    </g>
  `;
}

function Cursor({ x, bottom }) {
  return html`<line class="chart-cursor" x1=${x} x2=${x} y1=${TITLE} y2=${bottom} />`;
}

function TimeAxis({ xOf, endMs, spanMs, bottom }) {
  const room = xOf(endMs) - xOf(endMs - spanMs);
  return timeMarks(spanMs, Math.max(1, Math.floor(room / ROOM_OF_MARK))).map(({ agoMs, text }) => {
    const x = xOf(endMs - agoMs);
    // Those at the ends stay within the chart.
    const anchor = agoMs === 0 ? "end" : agoMs === spanMs ? "start" : "middle";
    return html`
      <g key=${agoMs}>
        <line class="chart-grid" x1=${x} x2=${x} y1=${bottom - 8} y2=${bottom - 3} />
        <text class="chart-tick" x=${x} y=${bottom + 11} text-anchor=${anchor}>${text}</text>
      </g>
    `;
  });
}

function useWidth(frame) {
  const [width, setWidth] = useState(640);
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.max(240, Math.floor(frame.current.clientWidth)));
    const observer = new ResizeObserver(measure);
    observer.observe(frame.current);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
}

const STEPS_S = { ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

function moveByKey(event, setCursor, spanMs) {
  const step = STEPS_S[event.key];
  const isEnd = event.key === "Home" || event.key === "End";
  if (step === undefined && !isEnd) return;
  event.preventDefault();
  if (isEnd) setCursor(event.key === "Home" ? spanMs : 0);
  else setCursor((before) => Math.min(spanMs, Math.max(0, (before ?? 0) + step * 1000)));
}

function readout(series, sample, endMs, unit) {
  if (!sample) return "nothing yet";
  const values = series.map(({ name, label }) => `${label.toLowerCase()} ${rateText(sample[name], unit)}`);
  return `${formatAgo(endMs - sample.atMs)}: ${values.join(", ")}`;
}

function summary(series, samples, unit) {
  const words = series.map(({ name, label }) => {
    const values = samples.map((sample) => sample[name]).filter(Number.isFinite);
    if (values.length === 0) return `${label}: nothing yet.`;
    return `${label}: now ${rateText(values.at(-1), unit)}, at most ${rateText(Math.max(...values), unit)}.`;
  });
  return words.join(" ");
}

function rateText(value, unit) {
  if (!Number.isFinite(value)) return "\u2013";
  return `${value === 0 ? "0" : formatRate(value)} ${unit}`;
}

function tickText(value) {
  return value >= 10000 ? `${formatNumber(value / 1000)}k` : formatNumber(value);
}
