import co.kustom.ipp.client.Place;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;

/**
 * A place on PostgreSQL: the cursor moves in the transaction of what the handler writes.
 *
 * <pre>client.followInto(new PostgresPlace(pool, "bookkeeping"), request, (connection, event) -> …, stop);</pre>
 */
public final class PostgresPlace implements Place<Connection> {
  private static final String TABLE =
      "CREATE TABLE IF NOT EXISTS ipp_place (name text PRIMARY KEY, cursor text NOT NULL)";
  private static final String LOAD = "SELECT cursor FROM ipp_place WHERE name = ?";
  private static final String STORE =
      "INSERT INTO ipp_place VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor";

  private final DataSource pool;
  private final String name;

  public PostgresPlace(DataSource pool, String name) throws SQLException {
    this.pool = pool;
    this.name = name;
    try (var connection = pool.getConnection(); var statement = connection.createStatement()) {
      statement.execute(TABLE);
    }
  }

  @Override
  public String load() throws SQLException {
    try (var connection = pool.getConnection(); var statement = connection.prepareStatement(LOAD)) {
      statement.setString(1, name);
      try (var rows = statement.executeQuery()) {
        return rows.next() ? rows.getString(1) : null;
      }
    }
  }

  @Override
  public void transaction(Work<Connection> work) throws Exception {
    try (var connection = pool.getConnection()) {
      connection.setAutoCommit(false);
      try {
        work.in(connection);
        connection.commit();
      } catch (Exception | Error failed) {
        connection.rollback();
        throw failed;
      }
    }
  }

  @Override
  public void store(Connection connection, String cursor) throws SQLException {
    try (var statement = connection.prepareStatement(STORE)) {
      statement.setString(1, name);
      statement.setString(2, cursor);
      statement.executeUpdate();
    }
  }
}
