package co.kustom.ipp.client;

import co.kustom.ipp.v1.ExtendLease;
import co.kustom.ipp.v1.LeasedSessionEvent;
import co.kustom.ipp.v1.ReleaseEvent;
import co.kustom.ipp.v1.SettleSessionEventsRequest;
import co.kustom.ipp.v1.Settlement;
import co.kustom.ipp.v1.SettlementOutcome;
import co.kustom.ipp.v1.SettlementResult;
import com.google.protobuf.util.Durations;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Settles leased events, many in one call, on a thread of its own, and extends what handlers still work at. A settlement is
 * repeated until it is answered or its lease is over. Thread-safe: its methods are synchronized, the call is not.
 */
final class Settler {
  private static final int MOST = 256; // settlements in a call
  private static final Set<SettlementOutcome> HOLDS = Set.of(SettlementOutcome.SETTLEMENT_OUTCOME_SETTLED,
      SettlementOutcome.SETTLEMENT_OUTCOME_EXTENDED, SettlementOutcome.SETTLEMENT_OUTCOME_ALREADY_SETTLED);

  /** One settlement that waits for its answer. */
  private record Wish(Delivery delivery, Settlement settlement, CountDownLatch answered) {}

  private final IppClient client;
  private final String subscription;
  private final Consumer<Delivery> tell;
  private final Pauses pauses;
  private final Map<String, Delivery> held = new LinkedHashMap<>();
  private final Thread thread = new Thread(this::run, "ippclient-settler");
  private List<Wish> wishes = new ArrayList<>();
  private boolean busy;
  private boolean closing;
  private long againAt = System.nanoTime();

  Settler(IppClient client, String subscription, Consumer<Delivery> tell) {
    this.client = client;
    this.subscription = subscription;
    this.tell = tell;
    pauses = client.timing.pauses();
    thread.setDaemon(true);
    thread.start();
  }

  /** From now on the lease is extended, until it is settled or lost. */
  synchronized Delivery hold(LeasedSessionEvent leased, Duration length) {
    var delivery = new Delivery(leased, length, this);
    held.put(delivery.lease(), delivery);
    notifyAll();
    return delivery;
  }

  synchronized void settle(Delivery delivery, Settlement.Builder settlement) {
    delivery.state = Delivery.State.DONE;
    ask(delivery, settlement);
  }

  /** Gives back what no handler has begun. */
  synchronized void releaseWaiting() {
    for (var delivery : held.values()) {
      if (delivery.state == Delivery.State.WAITING) {
        settle(delivery, Settlement.newBuilder().setRelease(ReleaseEvent.getDefaultInstance()));
      }
    }
  }

  /** Whether a handler may begin: the event is still held, and not given back. */
  synchronized boolean begin(Delivery delivery) {
    if (delivery.state != Delivery.State.WAITING || delivery.leaseLost()) return false;
    delivery.state = Delivery.State.BEGUN;
    return true;
  }

  synchronized CountDownLatch extendNow(Delivery delivery) {
    return extend(delivery);
  }

  /** Ends the thread once everything is answered; at the latest after so long. */
  synchronized void close(Duration atMost) {
    long end = System.nanoTime() + atMost.toNanos();
    try {
      while ((busy || !wishes.isEmpty()) && System.nanoTime() < end) {
        wait(Math.max((end - System.nanoTime()) / 1_000_000, 1));
      }
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
    closing = true;
    notifyAll();
  }

  private CountDownLatch ask(Delivery delivery, Settlement.Builder settlement) {
    var wish = new Wish(delivery, settlement.setLease(delivery.lease()).build(), new CountDownLatch(1));
    wishes.add(wish);
    notifyAll();
    return wish.answered();
  }

  private CountDownLatch extend(Delivery delivery) {
    delivery.extendAt = delivery.heldUntil; // once; the answer says when again
    return ask(delivery, Settlement.newBuilder().setExtend(
        ExtendLease.newBuilder().setBy(Durations.fromNanos(delivery.length.toNanos()))));
  }

  private void run() {
    try {
      for (var batch = take(); batch != null; batch = take()) call(batch);
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  /** What is to be sent now; waits for it, or for a lease to be due. Null: closed. */
  private synchronized List<Wish> take() throws InterruptedException {
    while (!closing) {
      long now = System.nanoTime();
      long wait = TimeUnit.HOURS.toNanos(1);
      for (var delivery : List.copyOf(held.values())) {
        if (now - delivery.heldUntil >= 0) {
          lose(delivery);
          continue;
        }
        boolean done = delivery.state == Delivery.State.DONE;
        if (!done && now - delivery.extendAt >= 0) extend(delivery);
        wait = Math.min(wait, (done ? delivery.heldUntil : Math.min(delivery.extendAt, delivery.heldUntil)) - now);
      }
      if (!wishes.isEmpty() && now - againAt >= 0) {
        var batch = List.copyOf(wishes.subList(0, Math.min(MOST, wishes.size())));
        wishes = new ArrayList<>(wishes.subList(batch.size(), wishes.size()));
        busy = true;
        return batch;
      }
      if (!wishes.isEmpty()) wait = Math.min(wait, againAt - now);
      wait(Math.max(wait / 1_000_000, 1));
    }
    return null;
  }

  private void call(List<Wish> batch) {
    var request = SettleSessionEventsRequest.newBuilder().setSubscription(subscription);
    batch.forEach(wish -> request.addSettlements(wish.settlement()));
    long sentAt = System.nanoTime();
    try {
      var response = client.subscriptions.withDeadlineAfter(client.timing.call().toNanos(), TimeUnit.NANOSECONDS)
          .settleSessionEvents(request.build());
      answered(batch, response.getResultsList(), sentAt);
    } catch (StatusRuntimeException failed) {
      failed(batch, GatewayException.of(failed));
    }
  }

  private synchronized void answered(List<Wish> batch, List<SettlementResult> results, long sentAt) {
    pauses.reset();
    for (int number = 0; number < batch.size(); number++) {
      var wish = batch.get(number);
      if (number >= results.size() || !HOLDS.contains(results.get(number).getOutcome())) lose(wish.delivery());
      else if (wish.settlement().hasExtend()) wish.delivery().held(sentAt);
      else held.remove(wish.delivery().lease());
      wish.answered().countDown();
    }
    busy = false;
    notifyAll();
  }

  /** The answer may be lost: the same again, which does nothing twice. */
  private synchronized void failed(List<Wish> batch, GatewayException error) {
    if (error.retryHeals()) {
      wishes.addAll(0, batch);
      againAt = System.nanoTime() + pauses.next(error.retryDelay()).toNanos();
    } else {
      for (var wish : batch) {
        lose(wish.delivery());
        wish.answered().countDown();
      }
    }
    busy = false;
    notifyAll();
  }

  /** Tells it once, on a thread of its own: the program's code may take long. */
  private void lose(Delivery delivery) {
    if (held.remove(delivery.lease()) == null) return;
    delivery.lose();
    for (var wish : wishes) {
      if (wish.delivery() == delivery) wish.answered().countDown();
    }
    wishes.removeIf(wish -> wish.delivery() == delivery);
    var teller = new Thread(() -> tell.accept(delivery), "ippclient-lost");
    teller.setDaemon(true);
    teller.start();
  }
}
