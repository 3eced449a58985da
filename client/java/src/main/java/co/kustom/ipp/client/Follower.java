package co.kustom.ipp.client;

import co.kustom.ipp.v1.CursorExpiredPolicy;
import co.kustom.ipp.v1.SessionEvent;
import co.kustom.ipp.v1.SubscribeSessionEventsRequest;
import co.kustom.ipp.v1.SubscribeSessionEventsResponse;
import com.google.protobuf.util.Durations;
import io.grpc.Status;
import java.time.Duration;

/** A way through the event log: every event once, in order, however often the connection breaks. */
public final class Follower {
  /** Takes an event. What it throws ends {@link #run}; the cursor stays before that event. */
  public interface Handler {
    void handle(SessionEvent event) throws Exception;
  }

  /** Hears of a place without an event. */
  interface OnCursor {
    void at(String cursor) throws Exception;
  }

  private final IppClient client;
  private final SubscribeSessionEventsRequest.Builder request;
  private final Handler handler;
  private final Stop stop;
  private final Pauses pauses;
  private OnCursor onCursor = cursor -> {};
  private volatile String cursor;
  private volatile boolean skipped;

  Follower(IppClient client, SubscribeSessionEventsRequest request, Handler handler, Stop stop) {
    this.client = client;
    this.request = request.toBuilder();
    this.handler = handler;
    this.stop = stop;
    pauses = client.timing.streamPauses();
    cursor = request.getAfterCursor();
    if (!request.hasHeartbeatInterval()) {
      this.request.setHeartbeatInterval(Durations.fromNanos(client.timing.heartbeat().toNanos()));
    }
  }

  /** The place behind what was taken: the handler has returned for everything before it. */
  public String cursor() {
    return cursor;
  }

  /** Events were lost to retention (only with SKIP_TO_OLDEST). */
  public boolean skipped() {
    return skipped;
  }

  /** Follows until the stop, what the handler throws, or a GatewayException that a new stream does not heal. */
  public void run() throws Exception {
    while (!stop.isSet()) {
      if (!cursor.isEmpty()) request.setAfterCursor(cursor);
      var asked = request.build();
      var silence = Duration.ofNanos(3 * Durations.toNanos(asked.getHeartbeatInterval()));
      var error = Streams.each(client.timers, silence, stop, () -> client.events.subscribeSessionEvents(asked),
          this::take);
      if (stop.isSet()) return;
      throwFinal(error, asked.getOnCursorExpired());
      stop.await(pauses.next(error == null ? Duration.ZERO : error.retryDelay()));
    }
  }

  static void throwFinal(GatewayException error, CursorExpiredPolicy policy) {
    if (error == null) return;
    boolean skips = policy == CursorExpiredPolicy.CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST;
    if (!error.retryHeals() || (error.code() == Status.Code.OUT_OF_RANGE && !skips)) throw error;
  }

  private boolean take(SubscribeSessionEventsResponse message) throws Exception {
    if (!message.hasStarted()) pauses.reset();
    switch (message.getMessageCase()) {
      case EVENT -> {
        handler.handle(message.getEvent());
        cursor = message.getEvent().getCursor();
      }
      case STARTED -> {
        skipped |= message.getStarted().getSkipped();
        moveTo(message.getStarted().getCursor());
      }
      case HEARTBEAT -> moveTo(message.getHeartbeat().getCursor());
      case GOODBYE -> moveTo(message.getGoodbye().getCursor());
      default -> {} // newer than this package
    }
    return true;
  }

  private void moveTo(String place) throws Exception {
    if (place.isEmpty()) return;
    cursor = place;
    onCursor.at(place);
  }

  static <T> void into(IppClient client, Place<T> place, SubscribeSessionEventsRequest request,
      IppClient.PlaceHandler<T> handler, Stop stop) throws Exception {
    var follower = new Follower(client, request, event -> place.transaction(transaction -> {
      handler.handle(transaction, event);
      place.store(transaction, event.getCursor());
    }), stop);
    var kept = place.load();
    if (kept != null) follower.cursor = kept;
    follower.onCursor = cursor -> place.transaction(transaction -> place.store(transaction, cursor));
    follower.run();
  }
}
