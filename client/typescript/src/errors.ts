import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
  StatusSchema,
} from "./gen/google/rpc/error_details_pb.js";

/** What happened at Kustom; of a create, to everything that was sent under its `requestId`. */
export type Outcome = "NOT_SENT" | "REJECTED" | "EXECUTED" | "UNKNOWN";

/** An error of the gateway. One that gRPC made itself (no connection, a deadline) has only `code` and `message`. */
export class GatewayError extends Error {
  override name = "GatewayError";
  /** Stable, for programs: docs/when-a-call-fails.md has every one. */
  reason = "";
  /** Undefined: the gateway claims none. */
  outcome: Outcome | undefined;
  /** Of an earlier create with the same `requestId`. */
  earlierOutcome: Outcome | undefined;
  retrySafe = false;
  /** Milliseconds; wait at least this long. */
  retryDelay = 0;
  metadata: Record<string, string> = {};
  violations: { field: string; description: string }[] = [];

  constructor(
    readonly code: status,
    message: string,
    more: Partial<Pick<GatewayError, "reason" | "outcome">> = {},
  ) {
    super(message);
    Object.assign(this, more);
  }

  override toString(): string {
    const words = [this.reason, this.outcome ?? ""].filter((word) => word !== "");
    return `${this.codeName}: ${this.message} (${words.join(", ") || "gRPC"})`;
  }

  /** "UNAVAILABLE" */
  get codeName(): string {
    return status[this.code] ?? `CODE_${this.code}`;
  }
}

/** The event is no longer this handler's: it went to another pod. What is not committed yet, must not be. */
export class LeaseLost extends Error {
  override name = "LeaseLost";
}

const outcomes: readonly string[] = ["NOT_SENT", "REJECTED", "EXECUTED", "UNKNOWN"];

function outcomeOf(name: string | undefined): Outcome | undefined {
  return name !== undefined && outcomes.includes(name) ? (name as Outcome) : undefined;
}

/** What an error of a call says. */
export function decode(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "number") {
    return new GatewayError(status.UNKNOWN, String(error));
  }
  const details = "details" in error ? String(error.details) : error.message;
  const decoded = new GatewayError(error.code, details);
  const metadata = "metadata" in error && error.metadata instanceof Metadata ? error.metadata : new Metadata();
  for (const bytes of metadata.get("grpc-status-details-bin")) {
    if (typeof bytes !== "string") unpack(bytes, decoded);
  }
  return decoded;
}

function unpack(bytes: Uint8Array, decoded: GatewayError): void {
  for (const detail of fromBinary(StatusSchema, bytes).details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info) {
      decoded.reason = info.reason;
      decoded.metadata = info.metadata;
      decoded.outcome = outcomeOf(info.metadata["outcome"]);
      decoded.earlierOutcome = outcomeOf(info.metadata["earlier_outcome"]);
      decoded.retrySafe = info.metadata["retry_safe"] === "true";
    }
    const delay = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
    if (delay) decoded.retryDelay = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
    decoded.violations.push(...(anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? []));
  }
}

const final: readonly status[] = [
  status.INVALID_ARGUMENT,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.NOT_FOUND,
  status.UNIMPLEMENTED,
];

/** False: a new try of a call or a stream that ended with this would end the same way. */
export function retryHeals(code: status): boolean {
  return !final.includes(code);
}
