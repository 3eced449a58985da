package co.kustom.ipp.client;

import co.kustom.ipp.v1.CancelSessionRequest;
import co.kustom.ipp.v1.CreateOutcome;
import co.kustom.ipp.v1.CreateSessionRequest;
import co.kustom.ipp.v1.CreateState;
import co.kustom.ipp.v1.GetCreateOutcomeRequest;
import co.kustom.ipp.v1.Session;
import co.kustom.ipp.v1.SessionStatus;
import co.kustom.ipp.v1.WatchSessionRequest;
import co.kustom.ipp.v1.WatchSessionResponse;
import com.google.protobuf.util.Durations;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** A run of {@link IppClient#collect}. */
final class Collect {
  private static final Map<SessionStatus, End> ENDS = Map.of(
      SessionStatus.SESSION_STATUS_FINALIZED, End.PAID, SessionStatus.SESSION_STATUS_CANCELLED, End.CANCELLED,
      SessionStatus.SESSION_STATUS_EXPIRED, End.EXPIRED, SessionStatus.SESSION_STATUS_FAILED, End.FAILED);

  private final IppClient client;
  private final Timing timing;
  private final CreateSessionRequest request;
  private final CollectOptions options;
  private final Pauses pauses;
  private final long createUntil;
  // `stop` is set at the stop or the timeout, `after` when what that began must end, too.
  private final Stop stop = new Stop();
  private final Stop after = new Stop();
  private volatile boolean late;
  private Session session = Session.getDefaultInstance();
  private GatewayException trouble;
  private boolean mayLookUp = true;

  Collect(IppClient client, CreateSessionRequest request, CollectOptions options) {
    this.client = client;
    timing = client.timing;
    this.options = options;
    this.request = request.getRequestId().isEmpty()
        ? request.toBuilder().setRequestId(IppClient.newRequestId()).build() : request;
    pauses = timing.pauses();
    createUntil = System.nanoTime() + timing.create().plus(timing.answerAllowance()).toNanos();
  }

  Payment run() {
    Runnable stopping = this::stopping;
    ScheduledFuture<?> timeout = client.timers.schedule(() -> {
      late = !stop.isSet();
      stopping();
    }, options.timeout.toNanos(), TimeUnit.NANOSECONDS);
    options.stop.then(stopping);
    try {
      return toTheEnd();
    } finally {
      timeout.cancel(false);
      options.stop.forget(stopping);
    }
  }

  private void stopping() {
    if (stop.isSet()) return;
    stop.set();
    if (options.leaveSession) {
      after.set();
    } else {
      client.timers.schedule(after::set, timing.stop().toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  private Payment toTheEnd() {
    var refused = create();
    if (refused != null) return refused;
    while (true) {
      if (isFinal()) return result(ENDS.get(session.getStatus()), null);
      if (after.isSet()) return stopped();
      if (!isKnown()) {
        var known = lookUp();
        if (known != null) return known;
      }
      if (isKnown() && stop.isSet()) return options.leaveSession ? stopped() : cancel();
      var error = watch();
      if (error == null || isFinal()) continue;
      if (error.outcome() == Outcome.REJECTED && !isKnown()) return result(End.NOT_CREATED, error);
      if (!error.retryHeals()) return result(End.GAVE_UP, error);
      note(error);
      (stop.isSet() ? after : stop).await(pauses.next(error.retryDelay()));
    }
  }

  private boolean isKnown() {
    return !session.getSessionId().isEmpty();
  }

  private boolean isFinal() {
    return ENDS.containsKey(session.getStatus());
  }

  private Payment create() {
    if (stop.isSet() && !options.resumed) return result(End.NOT_CREATED, whyStopped());
    var error = tryCreate();
    if (error == null) return null;
    trouble = error;
    // STORE_UNAVAILABLE sent nothing, but knows nothing of earlier calls under the same id.
    boolean reused = error.reason().equals("REQUEST_ID_REUSED");
    boolean sentNothing = error.outcome() == Outcome.NOT_SENT && !error.reason().equals("STORE_UNAVAILABLE") && !reused;
    if (error.outcome() == Outcome.REJECTED || sentNothing) return result(End.NOT_CREATED, error);
    return reused ? result(End.GAVE_UP, error) : null; // what exists under this id is another payment
  }

  /**
   * The tries of the create; null: it was done. The last error's NOT_SENT does not hold for an earlier try that may have
   * reached the gateway.
   */
  private GatewayException tryCreate() {
    long until = System.nanoTime() + timing.create().toNanos();
    boolean lost = options.resumed;
    boolean wordless = false;
    while (true) {
      GatewayException error;
      try {
        var response = client.sessions.withDeadlineAfter(Math.max(until - System.nanoTime(), 1), TimeUnit.NANOSECONDS)
            .createSession(request);
        heard(WatchSessionResponse.newBuilder().setSession(response.getSession()).build());
        return null;
      } catch (StatusRuntimeException failed) {
        error = GatewayException.of(failed);
      }
      lost |= wordless;
      wordless = error.reason().isEmpty();
      var pause = pauses.next(error.retryDelay());
      boolean fits = pause.toNanos() < until - System.nanoTime();
      if (error.mayRepeat() && fits && !stop.await(pause)) continue;
      return lost && error.outcome() == Outcome.NOT_SENT ? error.withOutcome(Outcome.UNKNOWN) : error;
    }
  }

  /** What the gateway has written down of the create. */
  private Payment lookUp() {
    if (!mayLookUp) return null;
    var outcome = CreateOutcome.getDefaultInstance();
    boolean unheard = false;
    try {
      outcome = client.outcomes.withDeadlineAfter(timing.call().toNanos(), TimeUnit.NANOSECONDS)
          .getCreateOutcome(GetCreateOutcomeRequest.newBuilder().setRequestId(request.getRequestId()).build())
          .getOutcome();
    } catch (StatusRuntimeException failed) {
      var error = GatewayException.of(failed);
      mayLookUp = error.code() != Status.Code.PERMISSION_DENIED && error.code() != Status.Code.UNIMPLEMENTED;
      unheard = error.reason().equals("CREATE_NOT_FOUND");
    }
    if (unheard || outcome.getState() == CreateState.CREATE_STATE_NOT_SENT) {
      if (System.nanoTime() < createUntil) return null; // a try may still be on its way
      return result(End.NOT_CREATED, new GatewayException(Status.Code.UNAVAILABLE, "was not sent",
          unheard ? "CREATE_NOT_FOUND" : "UPSTREAM_UNAVAILABLE", Outcome.NOT_SENT));
    }
    if (outcome.getState() == CreateState.CREATE_STATE_REJECTED) {
      return result(End.NOT_CREATED, new GatewayException(Status.Code.FAILED_PRECONDITION, outcome.getMessage(),
          outcome.getReason(), Outcome.REJECTED));
    }
    session = session.toBuilder().setSessionId(outcome.getSessionId()).build(); // when it is EXECUTED
    return null;
  }

  /** Follows the session to its end. Null: stopped, or not known yet; or the error that ended the stream. */
  private GatewayException watch() {
    boolean known = isKnown();
    var asked = WatchSessionRequest.newBuilder().setHeartbeatInterval(Durations.fromNanos(timing.heartbeat().toNanos()));
    if (known) asked.setSessionId(session.getSessionId());
    else asked.setRequestId(request.getRequestId());
    // A session that is not known yet is waited for after a stop, too, to cancel it; and not for ever.
    var end = new Stop();
    var outer = known ? stop : after;
    Runnable ending = end::set;
    outer.then(ending);
    var look = known ? null : client.timers.schedule(ending, timing.look().toNanos(), TimeUnit.NANOSECONDS);
    var count = new int[1];
    try {
      var error = Streams.each(client.timers, timing.silence(), end,
          () -> client.sessions.watchSession(asked.build()), message -> {
            if (count[0]++ > 0) pauses.reset(); // the first message alone proves no stream that works
            if (!message.getHeartbeat()) heard(message);
            else if (message.hasSession()) session = message.getSession();
            return !isFinal() && (known || !isKnown());
          });
      if (end.isSet() || isFinal() || (!known && isKnown())) return null;
      return error != null ? error
          : new GatewayException(Status.Code.UNAVAILABLE, "the watch ended before the session did", "", null);
    } catch (RuntimeException own) {
      throw own; // of onStep
    } catch (Exception impossible) {
      throw new IllegalStateException(impossible);
    } finally {
      outer.forget(ending);
      if (look != null) look.cancel(false);
    }
  }

  private Payment cancel() {
    pauses.reset();
    while (true) {
      var asked = Duration.ZERO;
      try {
        var response = client.sessions.withDeadlineAfter(timing.stop().toNanos(), TimeUnit.NANOSECONDS)
            .cancelSession(CancelSessionRequest.newBuilder().setSessionId(session.getSessionId()).build());
        heard(WatchSessionResponse.newBuilder().setSession(response.getSession()).build());
      } catch (StatusRuntimeException failed) {
        var error = GatewayException.of(failed);
        if (error.reason().equals("SESSION_ALREADY_FINALIZED")) {
          var paid = session.toBuilder().setStatus(SessionStatus.SESSION_STATUS_FINALIZED)
              .setOrderId(error.metadata().getOrDefault("order_id", ""));
          heard(WatchSessionResponse.newBuilder().setSession(paid).build());
        } else {
          note(error);
          if (!error.retryHeals()) return stopped();
          asked = error.retryDelay();
        }
      }
      if (isFinal()) return result(ENDS.get(session.getStatus()), null);
      if (after.await(pauses.next(asked))) return stopped();
    }
  }

  private void heard(WatchSessionResponse step) {
    trouble = null;
    // A new watch begins with what is known.
    boolean news = !step.getFailureReason().isEmpty() || !step.getSession().equals(session);
    session = step.getSession();
    if (news) options.onStep.accept(step);
  }

  private void note(GatewayException error) {
    // The gateway's own error says more than an interruption.
    if (trouble == null || !error.reason().isEmpty()) trouble = error;
  }

  private GatewayException whyStopped() {
    return late ? new GatewayException(Status.Code.DEADLINE_EXCEEDED, "the payment's time is up", "", null)
        : new GatewayException(Status.Code.CANCELLED, "the payment was stopped", "", null);
  }

  private Payment stopped() {
    return result(End.STOPPED, trouble != null ? trouble : whyStopped());
  }

  private Payment result(End end, GatewayException error) {
    var money = switch (end) {
      case PAID -> Money.PAID;
      case STOPPED, GAVE_UP -> Money.NOT_KNOWN;
      default -> Money.NOT_PAID;
    };
    return new Payment(money, end, session, request.getRequestId(), error);
  }
}
