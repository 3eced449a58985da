import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { Collect } from "./collect.js";
import { Connection } from "./connection.js";
import { type ConsumeOptions, Consumer, type Handler, type SharedSubscriptionInit } from "./consume.js";
import { Follower, followInto, type Place } from "./follow.js";
import type { SessionEvent, SubscribeSessionEventsRequestSchema } from "./gen/kustom/ipp/v1/session_event_pb.js";
import type { CollectOptions, CreateSessionInit, Payment } from "./payment.js";
import { production, type Timing } from "./timing.js";

export type SubscribeInit = MessageInitShape<typeof SubscribeSessionEventsRequestSchema>;

/** Without TLS settings the connection is plaintext. */
export interface ClientOptions {
  /** With the system's authorities. */
  tls?: boolean;
  /** PEM; implies TLS. */
  ca?: Buffer;
  /** PEM, with `key`; imply TLS. */
  cert?: Buffer;
  key?: Buffer;
  /** Goes over plaintext to this machine only, unless `plaintextToken` says that something else encrypts. */
  token?: string;
  plaintextToken?: boolean;
  merchantId?: string;
  timing?: Partial<Timing>;
  /** More of gRPC's own. */
  channel?: grpc.ClientOptions;
}

/** A connection to the gateway. It connects at the first call. */
export class Client {
  private readonly connection: Connection;
  private readonly timing: Timing;

  constructor(address: string, options: ClientOptions = {}) {
    this.timing = { ...production, ...options.timing };
    const tls = options.tls || options.ca !== undefined || options.cert !== undefined;
    if (options.token && !tls && !options.plaintextToken && !isThisMachine(address)) {
      throw new Error("a token over plaintext is sent to this machine only: give `ca`, `tls` or `plaintextToken`");
    }
    const credentials = tls
      ? grpc.credentials.createSsl(options.ca ?? null, options.key ?? null, options.cert ?? null)
      : grpc.credentials.createInsecure();
    const pairs = {
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...(options.merchantId ? { "x-merchant-id": options.merchantId } : {}),
    };
    this.connection = new Connection(
      address,
      credentials,
      {
        "grpc.keepalive_time_ms": this.timing.keepalive,
        "grpc.keepalive_timeout_ms": this.timing.keepaliveAnswer,
        "grpc.initial_reconnect_backoff_ms": this.timing.firstStreamPause,
        "grpc.max_reconnect_backoff_ms": 10_000,
        ...options.channel,
      },
      pairs,
    );
  }

  close(): void {
    this.connection.close();
  }

  /** A call of the contract that needs no rules: `client.call(DeviceService.method.listDevices, {})`. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return this.connection.unary(method, request, this.timing.call);
  }

  /** A stream of the contract, as it is. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    signal: AbortSignal,
  ): AsyncIterable<MessageShape<O>> {
    return this.connection.stream(method, request, 3 * this.timing.heartbeat, signal);
  }

  /**
   * Creates the session once, follows it to its end, and says what became of the money.
   *
   * Set `requestId` (newRequestId()) and keep it with the order first; an empty one is filled in. Never rejects with
   * GatewayError: `Payment.error` has it.
   */
  collect(request: CreateSessionInit, options: CollectOptions = {}): Promise<Payment> {
    return new Collect(this.connection, this.timing, request, options).run();
  }

  /** Every event, once, in order, to this one program, which keeps `Follower.cursor`. */
  follow(request: SubscribeInit, options: { signal?: AbortSignal } = {}): Follower {
    return new Follower(this.connection, this.timing, request, options.signal ?? new AbortController().signal);
  }

  /**
   * The same, with the cursor kept in the handler's own transaction. `request` says where the first start is. What the
   * handler throws rolls its transaction back and ends the call; the next one begins with that event.
   */
  followInto<Transaction>(
    place: Place<Transaction>,
    request: SubscribeInit,
    handler: (transaction: Transaction, event: SessionEvent) => Promise<void>,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    return followInto(this.follow(request, options), place, handler);
  }

  /**
   * Events of a shared subscription, for one pod or ten: each goes to one of them, at least once.
   *
   * A subscription's settings make it first, unless it is there; a name must be. Long handlers keep their leases. The
   * signal gives back what no handler has begun, waits for the others (`timing.stop`), and resolves. Else it rejects with
   * a GatewayError that no new stream heals.
   */
  async consume(
    subscription: string | SharedSubscriptionInit,
    handler: Handler,
    options: ConsumeOptions = {},
  ): Promise<void> {
    const name = typeof subscription === "string" ? subscription : (subscription.name ?? "");
    const consumer = new Consumer(this.connection, this.timing, name, handler, options);
    if (typeof subscription !== "string") await consumer.make(subscription);
    await consumer.run();
  }
}

function isThisMachine(address: string): boolean {
  const host = address.replace(/^dns:(\/\/\/)?/, "").replace(/:\d+$/, "");
  return address.startsWith("unix:") || host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
