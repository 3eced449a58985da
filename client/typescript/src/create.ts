import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { decode, GatewayError } from "./errors.js";
import { now, Pauses, type Timing, wait } from "./timing.js";

/** A UUID. Keep it with the order before the first call. */
export function newRequestId(): string {
  return randomUUID();
}

/** Whether another try with the same requestId is safe and may help. */
export function mayRepeat(error: GatewayError): boolean {
  // Without a reason it is gRPC's own: no connection, or one that broke.
  if (error.reason === "") return error.code === status.UNAVAILABLE;
  const busy = error.code === status.UNAVAILABLE || error.code === status.RESOURCE_EXHAUSTED;
  return busy && error.retrySafe && error.outcome !== "UNKNOWN";
}

/**
 * The tries of one create. `stop` ends the pauses alone: an answer that is under way names what was made. The last error
 * is thrown; its NOT_SENT does not hold for an earlier try that may have reached the gateway.
 */
export async function tryCreate<T>(
  timing: Timing,
  resumed: boolean,
  stop: AbortSignal,
  call: (milliseconds: number) => Promise<T>,
): Promise<T> {
  const until = now() + timing.create;
  const pauses = new Pauses(timing.firstPause, timing.longestPause);
  let lost = resumed;
  let wordless = false;
  for (;;) {
    try {
      return await call(until - now());
    } catch (failed) {
      const error = decode(failed);
      lost ||= wordless;
      wordless = error.reason === "";
      const pause = pauses.next(error.retryDelay);
      if (mayRepeat(error) && pause < until - now() && (await wait(pause, stop))) continue;
      if (lost && error.outcome === "NOT_SENT") error.outcome = "UNKNOWN";
      throw error;
    }
  }
}
