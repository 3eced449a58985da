package co.kustom.ipp.client;

import java.time.Duration;

/** Thrown by a handler: not now, deliver the event again. The reason is for people, and holds no secrets. */
public final class RetryException extends Exception {
  private static final long serialVersionUID = 1;
  private final Duration delay;

  /** After as long as the gateway thinks right. */
  public RetryException(String reason) {
    this(reason, null);
  }

  public RetryException(String reason, Duration delay) {
    super(reason);
    this.delay = delay;
  }

  Duration delay() {
    return delay;
  }
}
