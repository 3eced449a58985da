package co.kustom.ipp.client;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/** Server streams that cannot be silent for ever. */
final class Streams {
  private Streams() {}

  /** Takes a message; false: enough. */
  interface Take<M> {
    boolean take(M message) throws Exception;
  }

  /**
   * Reads a stream to its end: null when it ended with OK, or was enough, else its error. It ends when no message comes for
   * {@code silence}, or at the stop. Only the wait for a message counts, so a slow handler is no silence.
   */
  static <M> GatewayException each(ScheduledExecutorService timers, Duration silence, Stop stop,
      Supplier<Iterator<M>> open, Take<M> take) throws Exception {
    var context = Context.ROOT.withCancellation();
    var silent = new AtomicBoolean();
    Runnable cancel = () -> context.cancel(null);
    stop.then(cancel);
    try {
      Iterator<M> messages = null;
      while (true) {
        M message;
        var watch = timers.schedule(() -> {
          silent.set(true);
          context.cancel(null);
        }, silence.toNanos(), TimeUnit.NANOSECONDS);
        try {
          // The context belongs to the call, not to what the program does with a message.
          if (messages == null) messages = context.call(open::get);
          if (!messages.hasNext()) return null;
          message = messages.next();
        } catch (StatusRuntimeException error) {
          return silent.get()
              ? new GatewayException(Status.Code.UNAVAILABLE, "no message and no heartbeat for " + silence, "", null)
              : GatewayException.of(error);
        } finally {
          watch.cancel(false);
        }
        if (!take.take(message)) return null;
      }
    } finally {
      stop.forget(cancel);
      context.cancel(null);
    }
  }
}
