package co.kustom.ipp.client;

import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;

/** Ends what it was given to: a payment, a follower, a consumer. Any thread may set it. */
public final class Stop {
  private final Set<Runnable> then = new LinkedHashSet<>();
  private boolean set;

  /** A stop that the end of the process (SIGTERM, SIGINT) sets. The process waits for {@code stopped}, at most so long. */
  public static Stop onShutdown(Thread stopped, Duration atMost) {
    var stop = new Stop();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stop.set();
      try {
        stopped.join(atMost.toMillis());
      } catch (InterruptedException ended) {
        Thread.currentThread().interrupt();
      }
    }));
    return stop;
  }

  public void set() {
    Set<Runnable> calls;
    synchronized (this) {
      set = true;
      notifyAll();
      calls = Set.copyOf(then);
      then.clear();
    }
    calls.forEach(Runnable::run);
  }

  public synchronized boolean isSet() {
    return set;
  }

  /** True when it is set, at the latest after so long. */
  synchronized boolean await(Duration atMost) {
    long end = System.nanoTime() + atMost.toNanos();
    try {
      while (!set) {
        long left = end - System.nanoTime();
        if (left <= 0) return false;
        wait(left / 1_000_000, (int) (left % 1_000_000));
      }
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      set();
    }
    return true;
  }

  /** The call runs when this is set; at once if it is. */
  void then(Runnable call) {
    synchronized (this) {
      if (!set) {
        then.add(call);
        return;
      }
    }
    call.run();
  }

  synchronized void forget(Runnable call) {
    then.remove(call);
  }
}
