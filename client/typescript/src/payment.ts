import type { CreateSessionRequestSchema, Session, WatchSessionResponse } from "./gen/kustom/ipp/v1/session_pb.js";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GatewayError } from "./errors.js";

export type CreateSessionInit = MessageInitShape<typeof CreateSessionRequestSchema>;

/** Whether the money was paid. After NOT_KNOWN collect the same request again, with `resumed`. */
export type Money = "PAID" | "NOT_PAID" | "NOT_KNOWN";

/**
 * How a payment ended. NOT_CREATED: there is no session and there will be none. STOPPED: the signal or the timeout came
 * first. GAVE_UP: an error that no new try heals. After the last two the session may go on.
 */
export type End = "PAID" | "CANCELLED" | "EXPIRED" | "FAILED" | "NOT_CREATED" | "STOPPED" | "GAVE_UP";

/**
 * What a stop, or the timeout, does to the session. CANCEL_SESSION: it is cancelled, and the result says what became true:
 * paid, if that was faster. LEAVE_SESSION: it goes on and is no longer watched.
 */
export type OnStop = "CANCEL_SESSION" | "LEAVE_SESSION";

/** What became of the money. */
export interface Payment {
  readonly money: Money;
  readonly end: End;
  /** As last seen; empty if none was. */
  readonly session: Session;
  readonly requestId: string;
  /** Why, where it is not the session's own end. */
  readonly error: GatewayError | undefined;
}

export interface CollectOptions {
  /** Milliseconds, of the whole payment: 10 minutes. */
  timeout?: number;
  /** Stops the payment. */
  signal?: AbortSignal;
  onStop?: OnStop;
  /** The requestId may have been sent before, by a process that ended before it knew the result. */
  resumed?: boolean;
  /** Called with each step; a promise is awaited. */
  onStep?: (step: WatchSessionResponse) => unknown;
}
