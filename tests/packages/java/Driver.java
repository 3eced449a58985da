import co.kustom.ipp.client.CollectOptions;
import co.kustom.ipp.client.ConsumeOptions;
import co.kustom.ipp.client.Delivery;
import co.kustom.ipp.client.GatewayException;
import co.kustom.ipp.client.IppClient;
import co.kustom.ipp.client.LeaseLostException;
import co.kustom.ipp.client.ParkException;
import co.kustom.ipp.client.Place;
import co.kustom.ipp.client.RetryException;
import co.kustom.ipp.client.Stop;
import co.kustom.ipp.client.Timing;
import co.kustom.ipp.v1.CreateSessionRequest;
import co.kustom.ipp.v1.SessionEvent;
import co.kustom.ipp.v1.SharedSubscription;
import co.kustom.ipp.v1.SharedSubscriptionStart;
import co.kustom.ipp.v1.StartPosition;
import co.kustom.ipp.v1.SubscribeSessionEventsRequest;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.protobuf.util.JsonFormat;
import io.grpc.InsecureChannelCredentials;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The driver of the Java package: ../README.md has the orders. */
public final class Driver {
  private static final Gson JSON = new Gson();
  private static final Duration LONG = Duration.ofSeconds(30);

  /** What a handler of the scenes fails with. */
  private static final class Broken extends Exception {
    private static final long serialVersionUID = 1;
  }

  /** What a transaction wrote. */
  private static final class Kept {
    private final List<String> events = new ArrayList<>();
    private String cursor;
  }

  /** A place in memory: what a transaction wrote is there once it has committed. */
  private static final class Books implements Place<Kept> {
    private final Kept kept = new Kept();

    @Override
    public String load() {
      return kept.cursor;
    }

    @Override
    public void transaction(Work<Kept> work) throws Exception {
      var written = new Kept();
      written.cursor = kept.cursor;
      work.in(written);
      kept.events.addAll(written.events);
      kept.cursor = written.cursor;
    }

    @Override
    public void store(Kept written, String cursor) {
      written.cursor = cursor;
    }
  }

  private final JsonObject order;
  private final Stop stop = new Stop();
  private final CountDownLatch go = new CountDownLatch(1);
  private final IppClient client;

  private Driver(JsonObject order) {
    this.order = order;
    client = new IppClient(text("address"), InsecureChannelCredentials.create(), "", "",
        new Timing(time("call"), time("create"), time("answer_allowance"), time("look"), time("first_pause"),
            time("longest_pause"), time("first_stream_pause"), time("longest_stream_pause"), time("heartbeat"),
            time("keepalive"), time("keepalive_answer"), time("stop")));
  }

  private Duration time(String name) {
    return Duration.ofNanos((long) (order.getAsJsonObject("timing").get(name).getAsDouble() * 1e9));
  }

  private String text(String name) {
    return order.has(name) ? order.get(name).getAsString() : "";
  }

  private boolean flag(String name) {
    return order.has(name) && order.get(name).getAsBoolean();
  }

  private int number(String name) {
    return order.has(name) ? order.get(name).getAsInt() : 0;
  }

  private static synchronized void write(Map<String, ?> answer) {
    System.out.println(JSON.toJson(answer));
    System.out.flush();
  }

  private static void note(String what, String event) {
    write(Map.of("note", what, "event", event));
  }

  private static String raised(GatewayException error) {
    return error.reason().isEmpty() ? error.code().name() : error.reason();
  }

  private void answer() {
    try (client) {
      write(switch (text("do")) {
        case "collect" -> collect();
        case "follow" -> follow();
        default -> consume();
      });
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);
    }
  }

  private Map<String, ?> collect() throws Exception {
    var request = CreateSessionRequest.newBuilder();
    JsonFormat.parser().merge(order.get("request").toString(), request);
    var steps = new ArrayList<String>();
    var payment = client.collect(request.build(), new CollectOptions()
        .timeout(Duration.ofNanos((long) (order.get("timeout").getAsDouble() * 1e9)))
        .resumed(flag("resumed")).leaveSession(text("on_stop").equals("LEAVE_SESSION")).stop(stop)
        .onStep(step -> steps.add(step.getSession().getStatus().name().replace("SESSION_STATUS_", ""))));
    return Map.of("money", payment.money(), "end", payment.end(), "request_id", payment.requestId(), "order_id",
        payment.session().getOrderId(), "steps", steps);
  }

  private Map<String, ?> follow() throws Exception {
    var request = SubscribeSessionEventsRequest.newBuilder();
    JsonFormat.parser().merge(order.get("request").toString(), request);
    var seen = new ArrayList<String>();
    var books = new Books();
    var follower = client.follow(request.build(), event -> handle(event, seen), stop);
    var fault = "";
    try {
      if (flag("place")) {
        client.followInto(books, request.build(), (written, event) -> {
          written.events.add(event.getEventId());
          handle(event, seen);
        }, stop);
      } else {
        follower.run();
      }
    } catch (GatewayException error) {
      fault = raised(error);
    } catch (Broken error) {
      fault = "handler";
    }
    var cursor = flag("place") ? books.kept.cursor : follower.cursor();
    return Map.of("events", seen, "raised", fault, "cursor", cursor, "skipped", follower.skipped(), "kept",
        books.kept.events);
  }

  private void handle(SessionEvent event, List<String> seen) throws Exception {
    var id = event.getEventId();
    seen.add(id);
    note("handling", id);
    if (id.equals(text("fail_at"))) throw new Broken();
    if (order.has("slow_ms") && order.getAsJsonObject("slow_ms").has(id)) {
      go.await(order.getAsJsonObject("slow_ms").get(id).getAsLong(), TimeUnit.MILLISECONDS);
    }
    if (seen.size() == number("take")) stop.set();
  }

  private Map<String, ?> consume() {
    List<String> seen = Collections.synchronizedList(new ArrayList<>());
    List<String> lost = Collections.synchronizedList(new ArrayList<>());
    List<String> told = Collections.synchronizedList(new ArrayList<>());
    var subscription = SharedSubscription.newBuilder().setName("books");
    if (flag("make")) {
      subscription.setStart(SharedSubscriptionStart.newBuilder()
          .setPosition(StartPosition.START_POSITION_FROM_NOW));
    }
    var fault = "";
    try {
      client.consume(subscription.build(), delivery -> handle(delivery, seen, told), new ConsumeOptions()
          .stop(stop).parallel(number("parallel")).onLeaseLost(delivery -> {
            lost.add(delivery.event().getEventId());
            note("lost", delivery.event().getEventId());
          }));
    } catch (GatewayException error) {
      fault = raised(error);
    }
    return Map.of("events", seen, "lost", lost, "told", told, "raised", fault);
  }

  private void handle(Delivery delivery, List<String> seen, List<String> told) throws Exception {
    var event = delivery.event().getEventId();
    seen.add(event);
    note("handling", event);
    switch (order.getAsJsonObject("handle").get(event).getAsString()) {
      case "retry" -> throw new RetryException("not yet", Duration.ofSeconds(7));
      case "park" -> throw new ParkException("no such order");
      case "throw" -> throw new IllegalStateException("the password is hunter2");
      case "hold" -> go.await();
      case "until_lost" -> {
        if (delivery.awaitLost(LONG)) told.add(event);
      }
      case "check" -> {
        try {
          delivery.check();
        } catch (LeaseLostException lost) {
          told.add(event);
          throw lost;
        }
      }
      default -> {}
    }
  }

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Driver run = null;
    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
      var order = JSON.fromJson(line, JsonObject.class);
      switch (order.get("do").getAsString()) {
        case "stop" -> run.stop.set();
        case "go" -> run.go.countDown();
        default -> {
          run = new Driver(order);
          new Thread(run::answer).start();
        }
      }
    }
  }
}
