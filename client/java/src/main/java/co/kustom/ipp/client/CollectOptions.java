package co.kustom.ipp.client;

import co.kustom.ipp.v1.WatchSessionResponse;
import java.time.Duration;
import java.util.function.Consumer;

/** How {@link IppClient#collect} is done. Begin with {@code new CollectOptions()}; each method returns this. */
public final class CollectOptions {
  Duration timeout = Duration.ofMinutes(10);
  boolean resumed;
  boolean leaveSession;
  Stop stop = new Stop();
  Consumer<WatchSessionResponse> onStep = step -> {};

  /** Of the whole payment: 10 minutes. */
  public CollectOptions timeout(Duration whole) {
    timeout = whole;
    return this;
  }

  /** The request_id may have been sent before, by a process that ended before it knew the result. */
  public CollectOptions resumed(boolean before) {
    resumed = before;
    return this;
  }

  /**
   * At a stop, or the timeout, the session goes on and is only no longer watched. Else it is cancelled, and the result says
   * what became true: paid, if that was faster.
   */
  public CollectOptions leaveSession(boolean leave) {
    leaveSession = leave;
    return this;
  }

  /** Stops the payment. */
  public CollectOptions stop(Stop by) {
    stop = by;
    return this;
  }

  /** Called with each step, on the thread of collect. */
  public CollectOptions onStep(Consumer<WatchSessionResponse> call) {
    onStep = call;
    return this;
  }
}
