package co.kustom.ipp.client;

import co.kustom.ipp.v1.CreateSessionRequest;
import co.kustom.ipp.v1.OutcomeServiceGrpc;
import co.kustom.ipp.v1.SessionEvent;
import co.kustom.ipp.v1.SessionEventServiceGrpc;
import co.kustom.ipp.v1.SessionServiceGrpc;
import co.kustom.ipp.v1.SharedSubscription;
import co.kustom.ipp.v1.SharedSubscriptionServiceGrpc;
import co.kustom.ipp.v1.SubscribeSessionEventsRequest;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** A connection to the gateway. It connects at the first call. Thread-safe; its calls block. */
public final class IppClient implements AutoCloseable {
  /** Takes an event, and a transaction of the place in which its cursor is kept. */
  public interface PlaceHandler<T> {
    void handle(T transaction, SessionEvent event) throws Exception;
  }

  /**
   * Takes one event. Returning acknowledges it; RetryException and ParkException do what they say; any other exception is a
   * retry, of which only the type is sent.
   */
  public interface Handler {
    void handle(Delivery delivery) throws Exception;
  }

  final Timing timing;
  final SessionServiceGrpc.SessionServiceBlockingStub sessions;
  final OutcomeServiceGrpc.OutcomeServiceBlockingStub outcomes;
  final SessionEventServiceGrpc.SessionEventServiceBlockingStub events;
  final SharedSubscriptionServiceGrpc.SharedSubscriptionServiceBlockingStub subscriptions;
  final ScheduledExecutorService timers = Executors.newSingleThreadScheduledExecutor(work -> {
    var thread = new Thread(work, "ippclient-timers");
    thread.setDaemon(true);
    return thread;
  });
  private final ManagedChannel connection;
  private final Channel channel;

  /** Plaintext, for this machine or behind something that encrypts. */
  public static IppClient plaintext(String address) {
    return new IppClient(address, InsecureChannelCredentials.create(), "", "", Timing.PRODUCTION);
  }

  /**
   * The credentials are gRPC's, for example TlsChannelCredentials. A token goes over plaintext to this machine only. An
   * empty token or merchant is not sent.
   */
  public IppClient(String address, ChannelCredentials credentials, String token, String merchantId, Timing timing) {
    boolean plain = credentials instanceof InsecureChannelCredentials;
    if (!token.isEmpty() && plain && !isThisMachine(address)) {
      throw new IllegalArgumentException("a token over plaintext is sent to this machine only: use TLS");
    }
    this.timing = timing;
    connection = Grpc.newChannelBuilder(address, credentials)
        .keepAliveTime(timing.keepalive().toNanos(), TimeUnit.NANOSECONDS)
        .keepAliveTimeout(timing.keepaliveAnswer().toNanos(), TimeUnit.NANOSECONDS)
        .disableRetry()
        .build();
    var pairs = new Metadata();
    if (!token.isEmpty()) pairs.put(key("authorization"), "Bearer " + token);
    if (!merchantId.isEmpty()) pairs.put(key("x-merchant-id"), merchantId);
    channel = ClientInterceptors.intercept(connection, MetadataUtils.newAttachHeadersInterceptor(pairs));
    sessions = SessionServiceGrpc.newBlockingStub(channel);
    outcomes = OutcomeServiceGrpc.newBlockingStub(channel);
    events = SessionEventServiceGrpc.newBlockingStub(channel);
    subscriptions = SharedSubscriptionServiceGrpc.newBlockingStub(channel);
  }

  /** For the contract's stubs, which serve the calls that need no rules: {@code DeviceServiceGrpc.newBlockingStub}. */
  public Channel channel() {
    return channel;
  }

  @Override
  public void close() {
    timers.shutdownNow();
    connection.shutdownNow();
  }

  /** A UUID. Keep it with the order before the first call. */
  public static String newRequestId() {
    return UUID.randomUUID().toString();
  }

  /**
   * Creates the session once, follows it to its end, and says what became of the money. Set the request's request_id ({@link
   * #newRequestId}) and keep it with the order first; an empty one is filled in. Never throws GatewayException: the payment
   * has it.
   */
  public Payment collect(CreateSessionRequest request, CollectOptions options) {
    return new Collect(this, request, options).run();
  }

  /** Every event, once, in order, to this one program, which keeps {@link Follower#cursor}. Call its run. */
  public Follower follow(SubscribeSessionEventsRequest request, Follower.Handler handler, Stop stop) {
    return new Follower(this, request, handler, stop);
  }

  /**
   * The same, with the cursor kept in the handler's own transaction. The request says where the first start is. What the
   * handler throws rolls its transaction back and ends the call; the next one begins with that event.
   */
  public <T> void followInto(Place<T> place, SubscribeSessionEventsRequest request, PlaceHandler<T> handler, Stop stop)
      throws Exception {
    Follower.into(this, place, request, handler, stop);
  }

  /**
   * Events of a shared subscription, for one pod or ten: each goes to one of them, at least once.
   *
   * <p>It makes the subscription first, unless that is there; one without {@code start} must be. Long handlers keep their
   * leases. The stop gives back what no handler has begun, and waits for the others ({@link Timing#stop}). Throws a
   * GatewayException that no new stream heals.
   */
  public void consume(SharedSubscription subscription, Handler handler, ConsumeOptions options) {
    var consumer = new Consumer(this, subscription.getName(), handler, options);
    if (subscription.hasStart()) consumer.make(subscription);
    consumer.run();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static boolean isThisMachine(String address) {
    var host = address.replaceFirst("^dns:(///)?", "").replaceFirst(":\\d+$", "");
    return address.startsWith("unix:") || host.equals("localhost") || host.equals("[::1]") || host.startsWith("127.");
  }
}
