package co.kustom.ipp.client;

/** Thrown by a handler: the event cannot be handled, set it aside for people. The session goes on. */
public final class ParkException extends Exception {
  private static final long serialVersionUID = 1;

  public ParkException(String reason) {
    super(reason);
  }
}
