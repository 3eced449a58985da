package co.kustom.ipp.client;

/**
 * Where a follower is, kept in the handler's own database: the cursor moves in the transaction of what the handler wrote,
 * so that both are there or neither. examples/PostgresPlace.java is one for PostgreSQL.
 */
public interface Place<T> {
  /** What is done in a transaction. */
  interface Work<T> {
    void in(T transaction) throws Exception;
  }

  /** The cursor; null at the very first start. */
  String load() throws Exception;

  /** Commits when {@code work} returns; rolls back when it throws. */
  void transaction(Work<T> work) throws Exception;

  /** Writes the cursor in the transaction. */
  void store(T transaction, String cursor) throws Exception;
}
