package co.kustom.ipp.client;

/** What happened at Kustom; of a create, to everything that was sent under its request_id. */
public enum Outcome {
  NOT_SENT,
  REJECTED,
  EXECUTED,
  UNKNOWN
}
