import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Connection } from "./connection.js";
import { Held } from "./delivery.js";
import { durationOf } from "./duration.js";
import { decode, retryHeals } from "./errors.js";
import {
  type LeasedSessionEvent,
  type Settlement,
  SettlementOutcome,
  SettlementSchema,
  SharedSubscriptionService,
} from "./gen/kustom/ipp/v1/shared_subscription_pb.js";
import type { SessionEvent } from "./gen/kustom/ipp/v1/session_event_pb.js";
import { now, Pauses, type Timing } from "./timing.js";

export type Action = NonNullable<MessageInitShape<typeof SettlementSchema>["action"]>;

/** Settlements in a call. */
const most = 256;
const holds: readonly SettlementOutcome[] = [
  SettlementOutcome.SETTLED,
  SettlementOutcome.EXTENDED,
  SettlementOutcome.ALREADY_SETTLED,
];

/** One settlement that waits for its answer. */
interface Wish {
  readonly held: Held;
  readonly settlement: Settlement;
  readonly answered: () => void;
}

/**
 * Settles leased events, many in one call, and extends what handlers still work at. A settlement is repeated until it is
 * answered or its lease is over.
 */
export class Settler {
  private wishes: Wish[] = [];
  private readonly held = new Map<string, Held>();
  private busy = false;
  private againAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private onIdle = () => {};
  private readonly pauses: Pauses;

  constructor(
    private readonly connection: Connection,
    private readonly subscription: string,
    private readonly timing: Timing,
    private readonly tell: (held: Held) => void,
  ) {
    this.pauses = new Pauses(timing.firstPause, timing.longestPause);
  }

  /** From now on the lease is extended, until it is settled or lost. */
  hold(leased: LeasedSessionEvent, event: SessionEvent, length: number): Held {
    const held = new Held(leased, event, length, (each) => new Promise((answered) => this.extend(each, answered)));
    this.held.set(held.lease, held);
    this.look();
    return held;
  }

  settle(held: Held, action: Action): void {
    held.state = "done";
    this.ask(held, action);
  }

  /** Gives back what no handler has begun. */
  releaseWaiting(): void {
    for (const held of this.held.values()) {
      if (held.state === "waiting") this.settle(held, { case: "release", value: {} });
    }
  }

  /** Whether a handler may begin: the event is still held, and not given back. */
  begin(held: Held): boolean {
    if (held.state !== "waiting" || held.signal.aborted) return false;
    held.state = "begun";
    return true;
  }

  /** Ends once everything is answered; at the latest after so long. */
  async close(milliseconds: number): Promise<void> {
    if (this.wishes.length > 0 || this.busy) {
      await new Promise<void>((resolve) => {
        const limit = setTimeout(resolve, milliseconds);
        this.onIdle = () => {
          clearTimeout(limit);
          resolve();
        };
      });
    }
    this.closed = true;
    clearTimeout(this.timer);
  }

  private extend(held: Held, answered = () => {}): void {
    held.extendAt = Infinity; // once; the answer says when again
    this.ask(held, { case: "extend", value: { by: durationOf(held.length) } }, answered);
  }

  private ask(held: Held, action: Action, answered = () => {}): void {
    const settlement = create(SettlementSchema, { lease: held.lease, action });
    this.wishes.push({ held, settlement, answered });
    this.look();
  }

  /** Looks soon at what is to be sent, so that what is asked for at once goes in one call. */
  private look(milliseconds = 0): void {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => void this.send(), Math.min(milliseconds, 1_000_000));
  }

  private async send(): Promise<void> {
    if (this.busy) return; // it looks again when it is answered
    const time = now();
    let due = Infinity;
    for (const held of [...this.held.values()]) {
      if (time >= held.heldUntil) {
        this.lose(held);
        continue;
      }
      if (held.state !== "done" && time >= held.extendAt) this.extend(held);
      due = Math.min(due, held.heldUntil, held.state === "done" ? Infinity : held.extendAt);
    }
    if (this.wishes.length > 0 && time >= this.againAt) {
      const batch = this.wishes.slice(0, most);
      this.wishes = this.wishes.slice(most);
      this.busy = true;
      await this.call(batch);
      this.busy = false;
      due = now();
    } else if (this.wishes.length > 0) {
      due = Math.min(due, this.againAt);
    }
    if (this.wishes.length === 0) this.onIdle();
    if (due < Infinity) this.look(Math.max(due - now(), 0));
  }

  private async call(batch: readonly Wish[]): Promise<void> {
    const sentAt = now();
    try {
      const { results } = await this.connection.unary(
        SharedSubscriptionService.method.settleSessionEvents,
        { subscription: this.subscription, settlements: batch.map((wish) => wish.settlement) },
        this.timing.call,
      );
      this.pauses.reset();
      for (const [number, { held, settlement, answered }] of batch.entries()) {
        if (!holds.includes(results[number]?.outcome ?? SettlementOutcome.UNSPECIFIED)) this.lose(held);
        else if (settlement.action.case === "extend") held.held(sentAt);
        else this.held.delete(held.lease);
        answered();
      }
    } catch (failed) {
      const error = decode(failed);
      if (!retryHeals(error.code)) {
        for (const wish of batch) {
          this.lose(wish.held);
          wish.answered();
        }
        return;
      }
      // The answer may be lost: the same again, which does nothing twice.
      this.wishes = [...batch.filter((wish) => !wish.held.signal.aborted), ...this.wishes];
      this.againAt = now() + this.pauses.next(error.retryDelay);
    }
  }

  /** Tells it once, later: the program's code is not run from here. */
  private lose(held: Held): void {
    if (!this.held.delete(held.lease)) return;
    held.lose();
    const dropped = this.wishes.filter((wish) => wish.held === held);
    this.wishes = this.wishes.filter((wish) => wish.held !== held);
    for (const wish of dropped) wish.answered();
    queueMicrotask(() => this.tell(held));
  }
}
