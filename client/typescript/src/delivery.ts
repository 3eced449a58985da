import type { SessionEvent } from "./gen/kustom/ipp/v1/session_event_pb.js";
import type { LeasedSessionEvent } from "./gen/kustom/ipp/v1/shared_subscription_pb.js";
import { LeaseLost } from "./errors.js";
import { now } from "./timing.js";

/** Thrown by a handler: not now, deliver the event again. `reason` is for people, and holds no secrets. */
export class Retry extends Error {
  override name = "Retry";

  constructor(
    readonly reason = "",
    /** Milliseconds; undefined: as the gateway thinks right. */
    readonly delay?: number,
  ) {
    super(reason);
  }
}

/** Thrown by a handler: the event cannot be handled, set it aside for people. The session goes on. */
export class Park extends Error {
  override name = "Park";

  constructor(readonly reason: string) {
    super(reason);
  }
}

/** An event under a lease. `event.eventId` is the same in every attempt. */
export interface Delivery {
  readonly event: SessionEvent;
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** It was parked, and is delivered once more. */
  readonly redriven: boolean;
  /** Aborts when the lease is lost: another pod has the event. Commit nothing more for it. */
  readonly signal: AbortSignal;
  /**
   * Asks the gateway, and extends the lease: call it before a commit that must not happen twice. Rejects with LeaseLost,
   * also when the gateway gives no answer.
   */
  check(): Promise<void>;
}

/** A delivery as the consumer has it. */
export class Held implements Delivery {
  readonly event: SessionEvent;
  readonly attempt: number;
  readonly redriven: boolean;
  readonly lease: string;
  state: "waiting" | "begun" | "done" = "waiting";
  heldUntil = 0;
  extendAt = 0;
  private readonly lost = new AbortController();

  constructor(
    leased: LeasedSessionEvent,
    event: SessionEvent,
    readonly length: number,
    private readonly extend: (held: Held) => Promise<void>,
  ) {
    this.event = event;
    this.attempt = leased.attempt;
    this.redriven = leased.redriven;
    this.lease = leased.lease;
    this.held(now());
  }

  get signal(): AbortSignal {
    return this.lost.signal;
  }

  async check(): Promise<void> {
    if (!this.signal.aborted) await this.extend(this);
    if (this.signal.aborted) throw new LeaseLost(this.event.eventId);
  }

  /** The lease lasts its whole length from `since` on, by the monotonic clock. */
  held(since: number): void {
    this.heldUntil = since + this.length;
    this.extendAt = since + this.length / 3;
  }

  lose(): void {
    this.lost.abort();
  }
}
