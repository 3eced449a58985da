package co.kustom.ipp.client;

import co.kustom.ipp.v1.LeasedSessionEvent;
import co.kustom.ipp.v1.SessionEvent;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** An event under a lease. Its event_id is the same in every attempt. */
public final class Delivery {
  enum State {
    WAITING, // no handler has begun
    BEGUN,
    DONE // settled, or given back
  }

  private final LeasedSessionEvent leased;
  private final Settler settler;
  private final CountDownLatch lost = new CountDownLatch(1);
  final Duration length;
  // Guarded by the settler.
  State state = State.WAITING;
  long heldUntil;
  long extendAt;

  Delivery(LeasedSessionEvent leased, Duration length, Settler settler) {
    this.leased = leased;
    this.length = length;
    this.settler = settler;
    held(System.nanoTime());
  }

  public SessionEvent event() {
    return leased.getEvent();
  }

  /** 1 for the first delivery. */
  public int attempt() {
    return leased.getAttempt();
  }

  /** It was parked, and is delivered once more. */
  public boolean redriven() {
    return leased.getRedriven();
  }

  /** True: another pod has the event. Commit nothing more for it. */
  public boolean leaseLost() {
    return lost.getCount() == 0;
  }

  /** Waits until the lease is lost, at most so long; whether it is. */
  public boolean awaitLost(Duration atMost) throws InterruptedException {
    return lost.await(atMost.toNanos(), TimeUnit.NANOSECONDS);
  }

  /**
   * Asks the gateway, and extends the lease: call it before a commit that must not happen twice. Throws also when the
   * gateway gives no answer.
   */
  public void check() throws LeaseLostException, InterruptedException {
    if (!leaseLost()) settler.extendNow(this).await();
    if (leaseLost()) throw new LeaseLostException(event().getEventId());
  }

  String lease() {
    return leased.getLease();
  }

  /** The lease lasts its whole length from then on, by the monotonic clock. */
  void held(long since) {
    heldUntil = since + length.toNanos();
    extendAt = since + length.toNanos() / 3;
  }

  void lose() {
    lost.countDown();
  }
}
