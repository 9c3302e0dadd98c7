// Runs the cases of tests/clients with this client: `node build/tests/runner.js CASES PORTS [--hold]`.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import { type DescMessage, type DescMethodUnary, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { Client, LostError, SlotlineError, type ClientOptions } from "slotline-client";
import * as v1 from "slotline-client/v1";

type Json = Record<string, unknown>;

interface Case {
  name: string;
  core: string | string[];
  rpc: string;
  request: Record<string, JsonValue>;
  key?: string;
  tls?: "server" | "mutual" | "stranger";
  metadata?: Record<string, string | number>;
  once_ready?: boolean;
  repeat?: Record<string, number>;
  actions?: { cancel_after?: number; deadline_ms?: number; then?: Case };
  expect: Json;
}

interface Ports {
  cores: Record<string, string>;
  tls: Record<"ca" | "cert" | "key" | "other_cert" | "other_key", string>;
}

/** What came of a call. */
interface Outcome {
  events: string[];
  sequences: Map<number, { text: string; finish?: string }>;
  statuses: string[];
  accepted?: Json;
  usage?: Json;
  response?: Json;
  error?: unknown;
  isCancelled: boolean;
}

interface Call {
  signal: AbortSignal;
  timeoutMs?: number;
  metadata: Record<string, string>;
}

const HANG_MS = 20_000;
const READY_MS = 20_000;
const CASE_KEYS = new Set("name core rpc request key tls metadata repeat actions expect once_ready".split(" "));
const ACTIONS = new Set(["cancel_after", "deadline_ms", "then"]);
const OWN_METADATA = new Set(["priority", "tenant", "prefix_key"]);

/** What each key of `expect` demands; gives what is wrong, or nothing. */
const CHECKS: Record<string, (wanted: any, outcome: Outcome, client: Client) => unknown> = {
  events: (wanted, { events }) => matches(wanted, events) || events.join(" "),
  sequences: (wanted, { sequences }) => {
    const came = [...sequences].sort(([one], [other]) => one - other).map(([, sequence]) => sequence);
    return isSubset(wanted, came) || came;
  },
  usage: (wanted, { usage }) => isSubset(wanted, usage) || usage,
  accepted: (wanted, { accepted }) => isSubset(wanted, accepted) || accepted,
  response: (wanted, { response }) => isSubset(wanted, response) || response,
  count: (wanted, { response }) =>
    Object.entries(wanted).every(([name, count]) => (response?.[name] as unknown[])?.length === count) || "another",
  status: (wanted, { error }) => slotline(error)?.code === wanted || error,
  reason: (wanted, { error }) => slotline(error)?.reason === wanted || error,
  field: (wanted, { error }) => slotline(error)?.violations[0]?.field === wanted || slotline(error)?.violations,
  retry_after: (wanted, { error }) => (slotline(error)?.retryAfterMs !== undefined) === wanted || error,
  metadata: (wanted, { error }) => isSubset(wanted, slotline(error)?.metadata) || slotline(error)?.metadata,
  lost: (wanted, { error }) => error instanceof LostError === wanted || error,
  cancelled: (wanted, { isCancelled }) => isCancelled === wanted || isCancelled,
  statuses: (wanted, { statuses }) => isDeepStrictEqual(wanted, statuses) || statuses,
  idle_within_ms: async (wanted, _, client) => {
    for (const end = performance.now() + wanted; performance.now() < end; await pause(10)) {
      if ((await client.slots()).every((slot) => slot.state === v1.SlotState.IDLE)) {
        return true;
      }
    }
    return "still busy";
  },
};

const METHODS = new Map(
  [...v1.InferenceService.methods, ...v1.ModelService.methods].flatMap((method) =>
    method.methodKind === "unary" ? [[method.name, method as DescMethodUnary]] : [],
  ),
);
const JSON_OPTIONS = { alwaysEmitImplicit: true };

async function main(): Promise<number> {
  const [casesFile, portsFile, mode] = process.argv.slice(2) as [string, string, string?];
  const { cases } = JSON.parse(readFileSync(casesFile, "utf8")) as { cases: Case[] };
  const ports = JSON.parse(readFileSync(portsFile, "utf8")) as Ports;
  if (mode === "--hold") {
    await hold(ports);
  }
  let failed = 0;
  for (const one of cases) {
    const wrong = await problems(one, ports).catch((error: unknown) => [String(error)]);
    failed += wrong.length > 0 ? 1 : 0;
    wrong.forEach((words) => console.log(`${one.name}: ${words}`));
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Streams until somebody kills this process. */
async function hold(ports: Ports): Promise<void> {
  const client = new Client(ports.cores["plain"]!);
  let deltas = 0;
  for await (const event of client.generate("slow")) {
    if (event.type === "text" && ++deltas === 2) {
      console.log("holding");
    }
  }
}

/** What is wrong with a case. */
async function problems(one: Case, ports: Ports): Promise<string[]> {
  const client = clientFor(one, ports);
  try {
    const wrong: string[] = [];
    for (let step: Case | undefined = one; step !== undefined; step = step.actions?.then) {
      refuseUnknown("case", Object.keys(step), CASE_KEYS);
      refuseUnknown("actions", Object.keys(step.actions ?? {}), ACTIONS);
      refuseUnknown("expect", Object.keys(step.expect), new Set(Object.keys(CHECKS)));
      wrong.push(...(await differences(step, await withinTime(step, client), client)));
    }
    return wrong;
  } finally {
    client.close();
  }
}

function clientFor({ core, key, tls, metadata }: Case, ports: Ports): Client {
  const targets = [core].flat().map((name) => ports.cores[name]!);
  const { ca, cert, key: own, other_cert, other_key } = ports.tls ?? {};
  const read = (file: string): Buffer => readFileSync(file);
  const credentials = {
    server: () => ({ ca: read(ca) }),
    mutual: () => ({ ca: read(ca), cert: read(cert), key: read(own) }),
    stranger: () => ({ ca: read(ca), cert: read(other_cert), key: read(other_key) }),
  };
  const options: ClientOptions = {
    ...(key !== undefined && { key }),
    ...(tls !== undefined && { tls: credentials[tls]() }),
    ...(metadata?.["priority"] !== undefined && { priority: Number(metadata["priority"]) }),
    ...(metadata?.["tenant"] !== undefined && { tenant: String(metadata["tenant"]) }),
  };
  return new Client(targets, options);
}

async function withinTime(one: Case, client: Client): Promise<Outcome> {
  const hang = AbortSignal.timeout(HANG_MS);
  const outcome = await outcomeOf(one, client, hang);
  if (hang.aborted) {
    throw new Error(`nothing came for ${HANG_MS} ms`);
  }
  return outcome;
}

async function outcomeOf(one: Case, client: Client, signal: AbortSignal): Promise<Outcome> {
  const outcome: Outcome = { events: [], sequences: new Map(), statuses: [], isCancelled: false };
  const request = structuredClone(one.request);
  for (const [path, times] of Object.entries(one.repeat ?? {})) {
    const names = path.split(".");
    const last = names.pop()!;
    const place = names.reduce((value: any, name) => value[name], request);
    place[last] = place[last].repeat(times);
  }
  const others = Object.entries(one.metadata ?? {}).filter(([name]) => !OWN_METADATA.has(name));
  const timeoutMs = one.actions?.deadline_ms;
  const call: Call = {
    signal,
    metadata: Object.fromEntries(others.map(([name, value]) => [name, String(value)])),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
  if (one.once_ready) {
    for (const end = performance.now() + READY_MS; performance.now() < end; await pause(10)) {
      if (await client.health().catch(() => false)) {
        break;
      }
    }
  }
  try {
    if (one.rpc === "Generate") {
      await generate(one, request, client, call, outcome);
    } else if (one.rpc === "Health.Watch") {
      await watch(one, client, call, outcome);
    } else {
      const method = METHODS.get(one.rpc);
      if (method === undefined) {
        throw new Error(`unknown rpc ${one.rpc}`);
      }
      const answer = await client.call(method, fromJson(method.input, request), call);
      outcome.response = json(method.output, answer);
    }
  } catch (error) {
    outcome.error = error;
  }
  return outcome;
}

async function generate(one: Case, body: JsonValue, client: Client, call: Call, outcome: Outcome): Promise<void> {
  const request = fromJson(v1.GenerateRequestSchema, body);
  const key = one.metadata?.["prefix_key"];
  const generation = client.generate(request, { ...call, ...(key !== undefined && { prefixKey: String(key) }) });
  let deltas = 0;
  for await (const { event } of generation.messages()) {
    if (event.case !== undefined) {
      outcome.events.push(event.case);
    }
    if (event.case === "accepted") {
      outcome.accepted = json(v1.AcceptedSchema, event.value);
    } else if (event.case === "delta") {
      const sequence = sequenceOf(outcome, event.value.index);
      sequence.text += event.value.pieces.map((piece) => piece.text).join("");
      deltas++;
    } else if (event.case === "finished") {
      const known = v1.FinishReasonSchema.value[event.value.reason];
      sequenceOf(outcome, event.value.index).finish = known?.name ?? "UNKNOWN";
      if (event.value.usage !== undefined) {
        outcome.usage = json(v1.UsageSchema, event.value.usage);
      }
    }
    if (deltas === one.actions?.cancel_after) {
      generation.cancel();
      outcome.isCancelled = true;
    }
  }
}

async function watch(one: Case, client: Client, call: Call, outcome: Outcome): Promise<void> {
  for await (const status of client.watchHealth(String(one.request["service"] ?? ""), call)) {
    outcome.statuses.push(v1.HealthCheckResponse_ServingStatus[status]);
    if (outcome.statuses.length === (one.expect["statuses"] as string[]).length) {
      break;
    }
  }
}

async function differences(one: Case, outcome: Outcome, client: Client): Promise<string[]> {
  const wrong: string[] = [];
  if (outcome.error !== undefined && !("status" in one.expect) && !("lost" in one.expect)) {
    wrong.push(`failed: ${String(outcome.error)}`);
  }
  for (const [name, wanted] of Object.entries(one.expect)) {
    const came = await CHECKS[name]!(wanted, outcome, client);
    if (came !== true) {
      wrong.push(`${name}: expected ${JSON.stringify(wanted)}, came ${came instanceof Error ? came : JSON.stringify(came)}`);
    }
  }
  return wrong;
}

function sequenceOf({ sequences }: Outcome, index: number): { text: string; finish?: string } {
  const sequence = sequences.get(index) ?? { text: "" };
  sequences.set(index, sequence);
  return sequence;
}

/** Whether kinds of events are those of a pattern such as "accepted delta+ finished". */
function matches(pattern: string, events: string[]): boolean {
  const words = pattern.split(" ").filter((word) => word !== "");
  const expression = words.map((word) => word.replace(/^([a-z]+)([+*]?)$/, "(?:$1 )$2")).join("");
  return new RegExp(`^${expression}$`).test(events.map((event) => `${event} `).join(""));
}

/** Whether everything that is wanted is there; lists are as long as is wanted. */
function isSubset(wanted: unknown, came: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) {
    return isDeepStrictEqual(wanted, came);
  }
  return (
    typeof came === "object" &&
    came !== null &&
    (!Array.isArray(wanted) || wanted.length === (came as unknown[]).length) &&
    Object.entries(wanted).every(([name, value]) => isSubset(value, (came as Json)[name]))
  );
}

function json<T extends DescMessage>(schema: T, message: MessageShape<T>): Json {
  return toJson(schema, message, JSON_OPTIONS) as Json;
}

function slotline(error: unknown): SlotlineError | undefined {
  return error instanceof SlotlineError ? error : undefined;
}

function refuseUnknown(where: string, names: string[], known: ReadonlySet<string>): void {
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(`unknown keys of ${where}: ${unknown.join(", ")}`);
  }
}

process.exitCode = await main();
