package co.kustom.ipp.client;

import co.kustom.ipp.v1.AcknowledgeEvent;
import co.kustom.ipp.v1.CreateSharedSubscriptionRequest;
import co.kustom.ipp.v1.CursorExpiredPolicy;
import co.kustom.ipp.v1.ParkEvent;
import co.kustom.ipp.v1.ReceiveSessionEventsRequest;
import co.kustom.ipp.v1.ReceiveSessionEventsResponse;
import co.kustom.ipp.v1.RetryEvent;
import co.kustom.ipp.v1.Settlement;
import co.kustom.ipp.v1.SharedSubscription;
import com.google.protobuf.util.Durations;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A run of {@link IppClient#consume}. */
final class Consumer {
  private static final int LONGEST_REASON = 1024; // bytes; a character has at most 4

  private final IppClient client;
  private final Timing timing;
  private final IppClient.Handler handler;
  private final Stop stop;
  private final Settler settler;
  private final Pauses pauses;
  private final ExecutorService workers;
  private final ReceiveSessionEventsRequest request;
  private Duration lease = Duration.ofSeconds(30);

  Consumer(IppClient client, String subscription, IppClient.Handler handler, ConsumeOptions options) {
    this.client = client;
    timing = client.timing;
    this.handler = handler;
    stop = options.stop;
    settler = new Settler(client, subscription, options.onLeaseLost);
    pauses = timing.streamPauses();
    workers = Executors.newFixedThreadPool(options.handlers());
    request = ReceiveSessionEventsRequest.newBuilder()
        .setSubscription(subscription)
        .setMaxInFlight(options.maxInFlight)
        .setConsumer(options.name())
        .setOnCursorExpired(options.skipExpired ? CursorExpiredPolicy.CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
            : CursorExpiredPolicy.CURSOR_EXPIRED_POLICY_FAIL)
        .setHeartbeatInterval(Durations.fromNanos(timing.heartbeat().toNanos()))
        .build();
  }

  /** Makes the subscription unless it is there; with other settings that is SUBSCRIPTION_EXISTS. */
  void make(SharedSubscription subscription) {
    var asked = CreateSharedSubscriptionRequest.newBuilder().setSubscription(subscription).build();
    var between = timing.pauses();
    long until = System.nanoTime() + timing.create().toNanos();
    while (!stop.isSet()) {
      try {
        client.subscriptions.withDeadlineAfter(timing.call().toNanos(), TimeUnit.NANOSECONDS)
            .createSharedSubscription(asked);
        return;
      } catch (StatusRuntimeException failed) {
        var error = GatewayException.of(failed);
        var pause = between.next(error.retryDelay());
        boolean late = error.code() == Status.Code.DEADLINE_EXCEEDED; // the same settings again make nothing twice
        if (!(late || error.mayRepeat()) || System.nanoTime() + pause.toNanos() >= until) {
          end();
          throw error;
        }
        stop.await(pause);
      }
    }
  }

  /** Until the stop, or an error that no new stream heals. */
  void run() {
    Runnable release = settler::releaseWaiting;
    stop.then(release);
    try {
      while (!stop.isSet()) {
        var error = Streams.each(client.timers, timing.silence(), stop,
            () -> client.subscriptions.receiveSessionEvents(request), this::take);
        if (stop.isSet()) return;
        Follower.throwFinal(error, request.getOnCursorExpired());
        stop.await(pauses.next(error == null ? Duration.ZERO : error.retryDelay()));
      }
    } catch (RuntimeException error) {
      throw error;
    } catch (Exception impossible) {
      throw new IllegalStateException(impossible); // take throws none
    } finally {
      stop.forget(release);
      end();
    }
  }

  /** Gives back what no handler has begun, and waits for the others. */
  private void end() {
    settler.releaseWaiting();
    workers.shutdown();
    try {
      workers.awaitTermination(timing.stop().toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
    settler.close(timing.stop());
  }

  private boolean take(ReceiveSessionEventsResponse message) {
    if (message.hasStarted()) {
      var given = message.getStarted().getSubscription().getLease();
      if (Durations.isPositive(given)) lease = Duration.ofNanos(Durations.toNanos(given));
      return true;
    }
    pauses.reset();
    if (message.hasLeased()) {
      var delivery = settler.hold(message.getLeased(), lease);
      if (stop.isSet()) settler.releaseWaiting();
      else workers.execute(() -> handle(delivery));
    }
    return true;
  }

  private void handle(Delivery delivery) {
    if (!settler.begin(delivery)) return; // given back, or lost, before its turn
    var settlement = Settlement.newBuilder();
    try {
      handler.handle(delivery);
      settlement.setAcknowledge(AcknowledgeEvent.getDefaultInstance());
    } catch (LeaseLostException lost) {
      return;
    } catch (RetryException retry) {
      var asked = RetryEvent.newBuilder().setReason(cut(retry.getMessage()));
      if (retry.delay() != null) asked.setDelay(Durations.fromNanos(retry.delay().toNanos()));
      settlement.setRetry(asked);
    } catch (ParkException park) {
      settlement.setPark(ParkEvent.newBuilder().setReason(cut(park.getMessage())));
    } catch (Exception error) {
      // Its text may hold secrets.
      settlement.setRetry(RetryEvent.newBuilder().setReason(error.getClass().getSimpleName()));
    }
    if (!delivery.leaseLost()) settler.settle(delivery, settlement);
  }

  private static String cut(String reason) {
    if (reason == null) return "";
    int most = LONGEST_REASON / 4;
    if (reason.length() <= most) return reason;
    return reason.substring(0, Character.isHighSurrogate(reason.charAt(most - 1)) ? most - 1 : most);
  }
}
