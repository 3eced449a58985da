import { create, equals } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { newRequestId, tryCreate } from "./create.js";
import { durationOf } from "./duration.js";
import { decode, GatewayError, retryHeals } from "./errors.js";
import { CreateState, OutcomeService } from "./gen/kustom/ipp/v1/outcome_pb.js";
import {
  type CreateSessionRequest,
  CreateSessionRequestSchema,
  type Session,
  SessionSchema,
  SessionService,
  SessionStatus,
  type WatchSessionResponse,
  WatchSessionResponseSchema,
} from "./gen/kustom/ipp/v1/session_pb.js";
import type { CollectOptions, CreateSessionInit, End, Payment } from "./payment.js";
import { now, Pauses, type Timing, wait } from "./timing.js";

const ends: ReadonlyMap<SessionStatus, End> = new Map<SessionStatus, End>([
  [SessionStatus.FINALIZED, "PAID"],
  [SessionStatus.CANCELLED, "CANCELLED"],
  [SessionStatus.EXPIRED, "EXPIRED"],
  [SessionStatus.FAILED, "FAILED"],
]);

/** A run of Client.collect. */
export class Collect {
  private readonly request: CreateSessionRequest;
  private readonly createUntil: number;
  private readonly pauses: Pauses;
  /** `stop` aborts at the stop or the timeout, `after` when what that began must end, too. */
  private readonly stop = new AbortController();
  private readonly after = new AbortController();
  private session: Session = create(SessionSchema);
  private trouble: GatewayError | undefined;
  private mayLookUp = true;
  private late = false;

  constructor(
    private readonly connection: Connection,
    private readonly timing: Timing,
    request: CreateSessionInit,
    private readonly options: CollectOptions,
  ) {
    this.request = create(CreateSessionRequestSchema, { ...request, requestId: request.requestId || newRequestId() });
    this.createUntil = now() + timing.create + timing.answerAllowance;
    this.pauses = new Pauses(timing.firstPause, timing.longestPause);
  }

  async run(): Promise<Payment> {
    let last: NodeJS.Timeout | undefined;
    const stop = () => {
      if (this.stop.signal.aborted) return;
      this.stop.abort();
      if (this.options.onStop === "LEAVE_SESSION") this.after.abort();
      else last = setTimeout(() => this.after.abort(), this.timing.stop);
    };
    const timeout = setTimeout(() => {
      this.late = !this.stop.signal.aborted;
      stop();
    }, this.options.timeout ?? 600_000);
    this.options.signal?.addEventListener("abort", stop);
    if (this.options.signal?.aborted) stop();
    try {
      return await this.toTheEnd();
    } finally {
      clearTimeout(timeout);
      clearTimeout(last);
      this.options.signal?.removeEventListener("abort", stop);
    }
  }

  private async toTheEnd(): Promise<Payment> {
    const refused = await this.create();
    if (refused) return refused;
    for (;;) {
      const end = ends.get(this.session.status);
      if (end) return this.result(end);
      if (this.after.signal.aborted) return this.stopped();
      if (this.session.sessionId === "") {
        const known = await this.lookUp();
        if (known) return known;
      }
      if (this.session.sessionId !== "" && this.stop.signal.aborted) {
        return this.options.onStop === "LEAVE_SESSION" ? this.stopped() : this.cancel();
      }
      const error = await this.watch();
      if (!error || ends.has(this.session.status)) continue;
      if (error.outcome === "REJECTED" && this.session.sessionId === "") return this.result("NOT_CREATED", error);
      if (!retryHeals(error.code)) return this.result("GAVE_UP", error);
      this.note(error);
      const until = this.stop.signal.aborted ? this.after : this.stop;
      await wait(this.pauses.next(error.retryDelay), until.signal);
    }
  }

  private async create(): Promise<Payment | undefined> {
    const resumed = this.options.resumed ?? false;
    if (this.stop.signal.aborted && !resumed) return this.result("NOT_CREATED", this.whyStopped());
    try {
      const { session } = await tryCreate(this.timing, resumed, this.stop.signal, (milliseconds) =>
        this.connection.unary(SessionService.method.createSession, this.request, milliseconds),
      );
      await this.heard(create(WatchSessionResponseSchema, session ? { session } : {}));
      return undefined;
    } catch (failed) {
      if (!(failed instanceof GatewayError)) throw failed; // of onStep
      const error = failed;
      this.trouble = error;
      // STORE_UNAVAILABLE sent nothing, but knows nothing of earlier calls under the same id.
      const blind = error.reason === "STORE_UNAVAILABLE" || error.reason === "REQUEST_ID_REUSED";
      if (error.outcome === "REJECTED" || (error.outcome === "NOT_SENT" && !blind)) {
        return this.result("NOT_CREATED", error);
      }
      // What exists under this id is another payment: it is not looked up.
      return error.reason === "REQUEST_ID_REUSED" ? this.result("GAVE_UP", error) : undefined;
    }
  }

  /** What the gateway has written down of the create. */
  private async lookUp(): Promise<Payment | undefined> {
    if (!this.mayLookUp) return undefined;
    let unheard = false;
    try {
      const { outcome } = await this.connection.unary(
        OutcomeService.method.getCreateOutcome,
        { requestId: this.request.requestId },
        this.timing.call,
        this.after.signal,
      );
      if (outcome?.state === CreateState.REJECTED) {
        const { message, reason } = outcome;
        const error = new GatewayError(status.FAILED_PRECONDITION, message, { reason, outcome: "REJECTED" });
        return this.result("NOT_CREATED", error);
      }
      if (outcome?.state !== CreateState.NOT_SENT) {
        this.session.sessionId = outcome?.sessionId ?? ""; // when it is EXECUTED
        return undefined;
      }
    } catch (failed) {
      const error = decode(failed);
      this.mayLookUp = error.code !== status.PERMISSION_DENIED && error.code !== status.UNIMPLEMENTED;
      unheard = error.reason === "CREATE_NOT_FOUND";
      if (!unheard) return undefined;
    }
    if (now() < this.createUntil) return undefined; // a try may still be on its way
    const reason = unheard ? "CREATE_NOT_FOUND" : "UPSTREAM_UNAVAILABLE";
    const error = new GatewayError(status.UNAVAILABLE, "was not sent", { reason, outcome: "NOT_SENT" });
    return this.result("NOT_CREATED", error);
  }

  /** Follows the session to its end. Undefined: stopped, or not known yet; or the error that ended the stream. */
  private async watch(): Promise<GatewayError | undefined> {
    const known = this.session.sessionId !== "";
    const end = new AbortController();
    // A session that is not known yet is waited for after a stop, too, to cancel it.
    const outer = known ? this.stop.signal : this.after.signal;
    const abort = () => end.abort();
    outer.addEventListener("abort", abort);
    if (outer.aborted) abort();
    const look = known ? undefined : setTimeout(abort, this.timing.look);
    try {
      let count = 0;
      const messages = this.connection.stream(
        SessionService.method.watchSession,
        {
          target: known
            ? { case: "sessionId", value: this.session.sessionId }
            : { case: "requestId", value: this.request.requestId },
          heartbeatInterval: durationOf(this.timing.heartbeat),
        },
        3 * this.timing.heartbeat,
        end.signal,
      );
      for await (const message of messages) {
        count += 1;
        if (count > 1) this.pauses.reset(); // the first message alone proves no stream that works
        if (!message.heartbeat) await this.heard(message);
        else this.session = message.session ?? this.session;
        if (ends.has(this.session.status) || (!known && this.session.sessionId !== "")) return undefined;
      }
      return new GatewayError(status.UNAVAILABLE, "the watch ended before the session did");
    } catch (failed) {
      if (!(failed instanceof GatewayError)) throw failed; // of onStep
      return end.signal.aborted ? undefined : failed;
    } finally {
      clearTimeout(look);
      outer.removeEventListener("abort", abort);
    }
  }

  private async cancel(): Promise<Payment> {
    this.pauses.reset();
    for (;;) {
      let asked = 0;
      try {
        const { session } = await this.connection.unary(
          SessionService.method.cancelSession,
          { sessionId: this.session.sessionId },
          this.timing.stop,
          this.after.signal,
        );
        await this.heard(create(WatchSessionResponseSchema, session ? { session } : {}));
      } catch (failed) {
        if (!(failed instanceof GatewayError)) throw failed; // of onStep
        const error = failed;
        if (error.reason === "SESSION_ALREADY_FINALIZED") {
          const orderId = error.metadata["order_id"] ?? "";
          const session = { ...this.session, status: SessionStatus.FINALIZED, orderId };
          await this.heard(create(WatchSessionResponseSchema, { session }));
        } else {
          this.note(error);
          if (!retryHeals(error.code)) return this.stopped();
          asked = error.retryDelay;
        }
      }
      const end = ends.get(this.session.status);
      if (end) return this.result(end);
      if (!(await wait(this.pauses.next(asked), this.after.signal))) return this.stopped();
    }
  }

  private async heard(step: WatchSessionResponse): Promise<void> {
    this.trouble = undefined;
    const session = step.session ?? create(SessionSchema);
    // A new watch begins with what is known.
    const news = step.failureReason !== "" || !equals(SessionSchema, session, this.session);
    this.session = session;
    if (news) await this.options.onStep?.(step);
  }

  private note(error: GatewayError): void {
    // The gateway's own error says more than an interruption.
    if (!this.trouble || error.reason !== "") this.trouble = error;
  }

  private whyStopped(): GatewayError {
    return this.late
      ? new GatewayError(status.DEADLINE_EXCEEDED, "the payment's time is up")
      : new GatewayError(status.CANCELLED, "the payment was stopped");
  }

  private stopped(): Payment {
    return this.result("STOPPED", this.trouble ?? this.whyStopped());
  }

  private result(end: End, error?: GatewayError): Payment {
    const unsure = end === "STOPPED" || end === "GAVE_UP";
    const money = end === "PAID" ? "PAID" : unsure ? "NOT_KNOWN" : "NOT_PAID";
    return { money, end, session: this.session, requestId: this.request.requestId, error };
  }
}
