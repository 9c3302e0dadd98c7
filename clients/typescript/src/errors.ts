// Failed calls: SlotlineError, and LostError for streams that broke off.

import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { Accepted } from "./gen/slotline/v1/generation_pb.js";

/** `google.rpc.ErrorInfo.domain` of everything that a core says. */
const DOMAIN = "slotline";

/** Names of gRPC's statuses, as its documentation writes them. */
export type StatusName =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

const NAMES: Record<Code, StatusName> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** A field of a request that was refused, and why. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** What an error tells besides its message. */
export interface ErrorFacts {
  readonly code: StatusName;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A call failed. */
export class SlotlineError extends Error {
  override name = "SlotlineError";
  /** The gRPC status. */
  readonly code: StatusName;
  /** Stable word for programs, for example `QUEUE_FULL`; empty if the failure did not come from a core. */
  readonly reason: string;
  /** The facts of the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of the request that were refused. */
  readonly violations: readonly Violation[];
  /** Milliseconds after which the same request may succeed; undefined if it never will or nobody knows. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, facts: ErrorFacts) {
    super(`${facts.reason || facts.code}: ${message}`, { cause: facts.cause });
    this.code = facts.code;
    this.reason = facts.reason ?? "";
    this.metadata = facts.metadata ?? {};
    this.violations = facts.violations ?? [];
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** The first field that was refused; undefined if none was. */
  get field(): string | undefined {
    return this.violations[0]?.field ?? this.metadata["field"];
  }
}

/** A stream broke off after it was accepted: the server or something in front of it has gone. */
export class LostError extends SlotlineError {
  override name = "LostError";
  /** Which request it was, and which run of the server had it. */
  readonly accepted: Accepted;

  constructor(message: string, facts: ErrorFacts, accepted: Accepted) {
    super(message, facts);
    this.accepted = accepted;
  }
}

/** A failure as it came, and what follows from it. */
export interface Failure {
  readonly message: string;
  readonly facts: ErrorFacts;
  /** Whether a core said it, and not something in between. */
  readonly isFromCore: boolean;
  /** Whether another server may answer, if nothing was accepted. */
  readonly isElsewherePossible: boolean;
}

/** Reads a failure of connect. */
export function failureOf(reason: unknown): Failure {
  const error = ConnectError.from(reason);
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === DOMAIN);
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  // What becomes of a connection that breaks: connect says aborted, internal or cancelled, depending on when it does.
  // Whoever calls this has seen to it that the caller has not cancelled.
  const isOfTheWay = info === undefined && (error.code === Code.Canceled || isOfNode(error.cause));
  const code = isOfTheWay ? "UNAVAILABLE" : NAMES[error.code];
  return {
    message: error.rawMessage,
    facts: {
      code,
      reason: info?.reason ?? "",
      metadata: info?.metadata ?? {},
      violations: error
        .findDetails(BadRequestSchema)
        .flatMap((detail) => detail.fieldViolations)
        .map(({ field, description }) => ({ field, description })),
      retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
      cause: reason,
    },
    isFromCore: info !== undefined,
    isElsewherePossible: code === "UNAVAILABLE" || code === "RESOURCE_EXHAUSTED",
  };
}

/** The error of a failure. */
export function errorOf(failure: Failure): SlotlineError {
  return new SlotlineError(failure.message, failure.facts);
}

/** Whether a cause is an error of a socket, of TLS or of HTTP/2. */
function isOfNode(cause: unknown): boolean {
  return cause instanceof Error && !(cause instanceof ConnectError) && "code" in cause;
}
