package co.kustom.ipp.client;

/** How a payment ended. */
public enum End {
  PAID,
  CANCELLED,
  EXPIRED,
  FAILED,
  /** There is no session and there will be none: refused, or never sent. */
  NOT_CREATED,
  /** A stop or the timeout came first; the session may go on. */
  STOPPED,
  /** An error that no new try heals; the session may go on. */
  GAVE_UP
}
