import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { decode, type GatewayError, retryHeals } from "./errors.js";
import {
  CursorExpiredPolicy,
  type SessionEvent,
  SessionEventService,
  type SubscribeSessionEventsRequest,
  SubscribeSessionEventsRequestSchema,
  type SubscribeSessionEventsResponse,
} from "./gen/kustom/ipp/v1/session_event_pb.js";
import { durationOf, millisecondsOf } from "./duration.js";
import { Pauses, type Timing, wait } from "./timing.js";

/**
 * Where a follower is, kept in the handler's own database: the cursor moves in the transaction of what the handler wrote,
 * so that both are there or neither. examples/postgres-place.ts is one for PostgreSQL.
 */
export interface Place<Transaction> {
  /** The cursor; undefined at the very first start. */
  load(): Promise<string | undefined>;
  /** Commits when `work` resolves; rolls back and rejects when it rejects. */
  transaction(work: (transaction: Transaction) => Promise<void>): Promise<void>;
  /** Writes the cursor in the transaction. */
  store(transaction: Transaction, cursor: string): Promise<void>;
}

/** Undefined: a new stream may heal it. */
export function finalOf(error: GatewayError | undefined, policy: CursorExpiredPolicy): GatewayError | undefined {
  const expired = error?.code === status.OUT_OF_RANGE && policy !== CursorExpiredPolicy.SKIP_TO_OLDEST;
  return error && (expired || !retryHeals(error.code)) ? error : undefined;
}

/**
 * Iterates over events, each once, however often the connection breaks. Made by Client.follow.
 *
 * `cursor` is the place behind what was taken: an event counts as taken when the next one is asked for. Throws
 * GatewayError where a new stream would heal nothing. The signal ends the iteration.
 */
export class Follower implements AsyncIterable<SessionEvent> {
  cursor: string;
  /** Events were lost to retention (only with SKIP_TO_OLDEST). */
  skipped = false;
  /** Hears of a place without an event. */
  onCursor: (cursor: string) => Promise<void> = async () => {};

  private readonly request: SubscribeSessionEventsRequest;
  private readonly pauses: Pauses;

  constructor(
    private readonly connection: Connection,
    timing: Timing,
    request: MessageInitShape<typeof SubscribeSessionEventsRequestSchema>,
    private readonly signal: AbortSignal,
  ) {
    this.request = create(SubscribeSessionEventsRequestSchema, { ...request });
    this.request.heartbeatInterval ??= durationOf(timing.heartbeat);
    this.cursor = this.request.start.case === "afterCursor" ? this.request.start.value : "";
    this.pauses = new Pauses(timing.firstStreamPause, timing.longestStreamPause);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SessionEvent, void, undefined> {
    while (!this.signal.aborted) {
      let error: GatewayError | undefined;
      const messages = this.open();
      try {
        for (;;) {
          let next: IteratorResult<SubscribeSessionEventsResponse, void>;
          try {
            next = await messages.next();
          } catch (failed) {
            error = decode(failed);
            break;
          }
          if (next.done) break;
          yield* this.take(next.value);
        }
      } finally {
        await messages.return();
      }
      if (this.signal.aborted) return;
      const final = finalOf(error, this.request.onCursorExpired);
      if (final) throw final;
      await wait(this.pauses.next(error?.retryDelay), this.signal);
    }
  }

  private open(): AsyncGenerator<SubscribeSessionEventsResponse, void, undefined> {
    if (this.cursor !== "") this.request.start = { case: "afterCursor", value: this.cursor };
    const silence = 3 * millisecondsOf(this.request.heartbeatInterval);
    return this.connection.stream(
      SessionEventService.method.subscribeSessionEvents,
      this.request,
      silence,
      this.signal,
    );
  }

  private async *take({ message }: SubscribeSessionEventsResponse): AsyncGenerator<SessionEvent, void, undefined> {
    if (message.case === undefined) return; // newer than this package
    if (message.case !== "started") this.pauses.reset();
    else this.skipped ||= message.value.skipped;
    if (message.case === "event") {
      yield message.value;
      this.cursor = message.value.cursor;
    } else if (message.value.cursor !== "") {
      this.cursor = message.value.cursor;
      await this.onCursor(this.cursor);
    }
  }
}

export async function followInto<Transaction>(
  follower: Follower,
  place: Place<Transaction>,
  handler: (transaction: Transaction, event: SessionEvent) => Promise<void>,
): Promise<void> {
  follower.cursor = (await place.load()) ?? follower.cursor;
  follower.onCursor = (cursor) => place.transaction((transaction) => place.store(transaction, cursor));
  for await (const event of follower) {
    await place.transaction(async (transaction) => {
      await handler(transaction, event);
      await place.store(transaction, event.cursor);
    });
  }
}
