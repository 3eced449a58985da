package co.kustom.ipp.client;

/** The event is no longer this handler's: it went to another pod. What is not committed yet, must not be. */
public final class LeaseLostException extends Exception {
  private static final long serialVersionUID = 1;

  LeaseLostException(String eventId) {
    super(eventId);
  }
}
