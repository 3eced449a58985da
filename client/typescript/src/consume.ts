import { type MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { hostname } from "node:os";
import type { Connection } from "./connection.js";
import { mayRepeat } from "./create.js";
import { type Delivery, type Held, Park, Retry } from "./delivery.js";
import { durationOf, millisecondsOf } from "./duration.js";
import { decode, type GatewayError, LeaseLost } from "./errors.js";
import { finalOf } from "./follow.js";
import { CursorExpiredPolicy } from "./gen/kustom/ipp/v1/session_event_pb.js";
import { SharedSubscriptionService, type SharedSubscriptionSchema } from "./gen/kustom/ipp/v1/shared_subscription_pb.js";
import { type Action, Settler } from "./settler.js";
import { now, Pauses, type Timing, wait } from "./timing.js";

export type SharedSubscriptionInit = MessageInitShape<typeof SharedSubscriptionSchema>;

/**
 * Takes one event. Resolving acknowledges it; Retry and Park do what they say; any other error is a retry, of which only
 * the name is sent.
 */
export type Handler = (delivery: Delivery) => Promise<void>;

export interface ConsumeOptions {
  /** Stops it. */
  signal?: AbortSignal;
  /** Events that this pod may have at once: 16. */
  maxInFlight?: number;
  /** Handlers that run at once: maxInFlight. */
  parallel?: number;
  /** For people: the host's name. */
  consumer?: string;
  /** Go on behind events that retention has removed. */
  skipExpired?: boolean;
  /** Hears of each lease that another pod has got. */
  onLeaseLost?: (delivery: Delivery) => void;
}

const longestReason = 1024; // bytes

/** A run of Client.consume. */
export class Consumer {
  private readonly settler: Settler;
  private readonly pauses: Pauses;
  private readonly waiting: Held[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly stop: AbortSignal;
  private readonly policy: CursorExpiredPolicy;

  constructor(
    private readonly connection: Connection,
    private readonly timing: Timing,
    private readonly name: string,
    private readonly handler: Handler,
    private readonly options: ConsumeOptions,
  ) {
    this.stop = options.signal ?? new AbortController().signal;
    this.pauses = new Pauses(timing.firstStreamPause, timing.longestStreamPause);
    this.settler = new Settler(connection, name, timing, (held) => options.onLeaseLost?.(held));
    this.policy = options.skipExpired ? CursorExpiredPolicy.SKIP_TO_OLDEST : CursorExpiredPolicy.FAIL;
  }

  /** Makes the subscription unless it is there; with other settings that is SUBSCRIPTION_EXISTS. */
  async make(subscription: SharedSubscriptionInit): Promise<void> {
    const method = SharedSubscriptionService.method.createSharedSubscription;
    const pauses = new Pauses(this.timing.firstPause, this.timing.longestPause);
    const until = now() + this.timing.create;
    while (!this.stop.aborted) {
      try {
        await this.connection.unary(method, { subscription }, this.timing.call, this.stop);
        return;
      } catch (failed) {
        const error = decode(failed);
        const pause = pauses.next(error.retryDelay);
        const late = error.code === status.DEADLINE_EXCEEDED; // the same settings again make nothing twice
        if (this.stop.aborted) return;
        if (!(late || mayRepeat(error)) || now() + pause >= until) throw error;
        await wait(pause, this.stop);
      }
    }
  }

  async run(): Promise<void> {
    const release = () => this.settler.releaseWaiting();
    this.stop.addEventListener("abort", release);
    try {
      while (!this.stop.aborted) {
        const error = await this.oneStream();
        if (this.stop.aborted) return;
        const final = finalOf(error, this.policy);
        if (final) throw final;
        await wait(this.pauses.next(error?.retryDelay), this.stop);
      }
    } finally {
      this.stop.removeEventListener("abort", release);
      release();
      const limit = new AbortController();
      await Promise.race([Promise.all(this.running), wait(this.timing.stop, limit.signal)]);
      limit.abort();
      await this.settler.close(this.timing.stop);
    }
  }

  private async oneStream(): Promise<GatewayError | undefined> {
    let length = 30_000;
    const messages = this.connection.stream(
      SharedSubscriptionService.method.receiveSessionEvents,
      {
        subscription: this.name,
        maxInFlight: this.options.maxInFlight ?? 16,
        consumer: this.options.consumer ?? hostname(),
        onCursorExpired: this.policy,
        heartbeatInterval: durationOf(this.timing.heartbeat),
      },
      3 * this.timing.heartbeat,
      this.stop,
    );
    try {
      for await (const { message } of messages) {
        if (message.case === "started") {
          length = millisecondsOf(message.value.subscription?.lease) || length;
          continue;
        }
        this.pauses.reset();
        if (message.case === "leased" && message.value.event) {
          this.waiting.push(this.settler.hold(message.value, message.value.event, length));
          if (this.stop.aborted) this.settler.releaseWaiting();
          else this.begin();
        }
      }
      return undefined;
    } catch (failed) {
      return decode(failed);
    }
  }

  /** Begins handlers while there is room for them. */
  private begin(): void {
    const parallel = this.options.parallel ?? this.options.maxInFlight ?? 16;
    while (this.running.size < parallel) {
      const held = this.waiting.shift();
      if (!held) return;
      if (!this.settler.begin(held)) continue;
      const run: Promise<void> = this.handle(held).finally(() => {
        this.running.delete(run);
        this.begin();
      });
      this.running.add(run);
    }
  }

  private async handle(held: Held): Promise<void> {
    let action: Action = { case: "acknowledge", value: {} };
    try {
      await this.handler(held);
    } catch (error) {
      if (error instanceof LeaseLost) return;
      action = actionOf(error);
    }
    if (!held.signal.aborted) this.settler.settle(held, action);
  }
}

function actionOf(error: unknown): Action {
  if (error instanceof Park) return { case: "park", value: { reason: cut(error.reason) } };
  if (error instanceof Retry) {
    const reason = cut(error.reason);
    const delay = error.delay === undefined ? {} : { delay: durationOf(error.delay) };
    return { case: "retry", value: { reason, ...delay } };
  }
  // Its text may hold secrets.
  return { case: "retry", value: { reason: error instanceof Error ? error.constructor.name : typeof error } };
}

function cut(reason: string): string {
  const bytes = new TextEncoder().encode(reason).subarray(0, longestReason);
  return new TextDecoder().decode(bytes).replace(/\uFFFD+$/, "");
}
