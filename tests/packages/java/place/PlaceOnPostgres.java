import co.kustom.ipp.client.IppClient;
import co.kustom.ipp.client.Stop;
import co.kustom.ipp.v1.SessionEvent;
import co.kustom.ipp.v1.StartPosition;
import co.kustom.ipp.v1.SubscribeSessionEventsRequest;
import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/** Follows into client/java/examples/PostgresPlace.java. ../../place_test.py has what it does. */
public final class PlaceOnPostgres {
  private static final class Broken extends Exception {
    private static final long serialVersionUID = 1;
  }

  public static void main(String[] arguments) throws Exception {
    var request = SubscribeSessionEventsRequest.newBuilder()
        .setPosition(StartPosition.START_POSITION_FROM_OLDEST)
        .build();
    var stop = new Stop();
    try (var client = IppClient.plaintext(System.getenv("GATEWAY"))) {
      var place = new PostgresPlace(pool(URI.create(System.getenv("DATABASE"))), "books");
      client.followInto(place, request, (connection, event) -> book(connection, event, stop), stop);
    } catch (Broken broken) {
      System.exit(3);
    }
  }

  private static void book(Connection connection, SessionEvent event, Stop stop) throws SQLException, Broken {
    try (var statement = connection.prepareStatement("INSERT INTO books VALUES (?)")) {
      statement.setString(1, event.getEventId());
      statement.executeUpdate();
    }
    if (event.getEventId().equals(System.getenv("FAIL_AT"))) throw new Broken();
    if (event.getEventId().equals("e4")) stop.set();
  }

  /** JDBC takes no user in front of the host. */
  private static DataSource pool(URI database) {
    var pool = new PGSimpleDataSource();
    pool.setUrl("jdbc:postgresql://" + database.getHost() + ":" + database.getPort() + database.getPath());
    pool.setUser(database.getUserInfo());
    return pool;
  }
}
