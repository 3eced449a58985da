import co.kustom.ipp.v1.DeviceServiceGrpc;
import co.kustom.ipp.v1.EnrollmentServiceGrpc;
import co.kustom.ipp.v1.LocationServiceGrpc;
import co.kustom.ipp.v1.OutcomeServiceGrpc;
import co.kustom.ipp.v1.ReportServiceGrpc;
import co.kustom.ipp.v1.SessionEventServiceGrpc;
import co.kustom.ipp.v1.SessionHistoryServiceGrpc;
import co.kustom.ipp.v1.SessionServiceGrpc;
import co.kustom.ipp.v1.SharedSubscriptionServiceGrpc;
import co.kustom.ipp.v1.SimulationServiceGrpc;
import co.kustom.ipp.v1.SubscribeSessionEventsRequest;
import co.kustom.ipp.v1.SubscribeSessionEventsResponse;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

import static java.nio.charset.StandardCharsets.UTF_8;

/** A client under the conformance kit (tests/polyglot/README.md): does the orders on stdin, answers on stdout. */
public final class Client {
  private static final List<ServiceDescriptor> SERVICES = List.of(
      DeviceServiceGrpc.getServiceDescriptor(), EnrollmentServiceGrpc.getServiceDescriptor(),
      LocationServiceGrpc.getServiceDescriptor(), OutcomeServiceGrpc.getServiceDescriptor(),
      ReportServiceGrpc.getServiceDescriptor(), SessionHistoryServiceGrpc.getServiceDescriptor(),
      SessionServiceGrpc.getServiceDescriptor(), SessionEventServiceGrpc.getServiceDescriptor(),
      SharedSubscriptionServiceGrpc.getServiceDescriptor(), SimulationServiceGrpc.getServiceDescriptor());

  private static final Map<String, Channel> channels = new HashMap<>();
  private static final Map<String, Stream> streams = new HashMap<>();

  /** A stream that the kit reads a message at a time. */
  private interface Stream {
    /** The next one, under its name in the answer; null at the end. */
    Map.Entry<String, Message> next() throws Exception;

    void cancel();
  }

  private static JsonObject connect(JsonObject order) throws Exception {
    var credentials = order.has("ca_file") ? tls(order) : InsecureChannelCredentials.create();
    channels.put(text(order, "channel"), Grpc.newChannelBuilder(text(order, "address"), credentials).build());
    return new JsonObject();
  }

  private static ChannelCredentials tls(JsonObject order) throws Exception {
    var tls = TlsChannelCredentials.newBuilder().trustManager(new File(text(order, "ca_file")));
    if (order.has("cert_file")) tls.keyManager(new File(text(order, "cert_file")), new File(text(order, "key_file")));
    return tls.build();
  }

  private static JsonObject call(JsonObject order) throws Exception {
    var headers = new AtomicReference<Metadata>();
    var trailers = new AtomicReference<>(new Metadata());
    var channel = ClientInterceptors.intercept(
        channelOf(order), MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
    var method = methodOf(order);
    var answer = new JsonObject();
    var context = Context.current().withCancellation();
    if (order.has("cancel_after_ms")) {
      new Timer(true).schedule(new TimerTask() {
        @Override
        public void run() {
          context.cancel(null);
        }
      }, order.get("cancel_after_ms").getAsLong());
    }
    try {
      answer.add("response", context.call(() -> {
        return json(ClientCalls.blockingUnaryCall(channel, method, options(order), request(order, method)));
      }));
    } catch (StatusRuntimeException error) {
      answer.add("error", json(error));
    }
    answer.add("trailers", json(trailers.get()));
    context.cancel(null);
    return answer;
  }

  private static JsonObject open(JsonObject order) throws Exception {
    var method = methodOf(order);
    var request = request(order, method);
    var context = Context.current().withCancellation();
    Iterator<Message> messages = context.call(
        () -> ClientCalls.blockingServerStreamingCall(channelOf(order), method, options(order), request));
    streams.put(text(order, "stream"), new Stream() {
      @Override
      public Map.Entry<String, Message> next() {
        return messages.hasNext() ? Map.entry("message", messages.next()) : null;
      }

      @Override
      public void cancel() {
        context.cancel(null);
      }
    });
    return new JsonObject();
  }

  private static JsonObject follow(JsonObject order) throws Exception {
    var request = SubscribeSessionEventsRequest.newBuilder();
    JsonFormat.parser().merge(order.get("request").toString(), request);
    var follower = new Follower(channelOf(order), request);
    follower.take(follower.messages.next()); // `started`: nothing from here on is missed
    streams.put(text(order, "stream"), follower);
    return new JsonObject();
  }

  /** Every event after a place in the log, once, however often the way to the gateway breaks. */
  private static final class Follower implements Stream {
    private final Context.CancellableContext context = Context.current().withCancellation();
    private final Channel channel;
    private final SubscribeSessionEventsRequest.Builder request;
    private Iterator<SubscribeSessionEventsResponse> messages;

    Follower(Channel channel, SubscribeSessionEventsRequest.Builder request) throws Exception {
      this.channel = channel;
      this.request = request;
      subscribe();
    }

    private void subscribe() throws Exception {
      messages = context.call(
          () -> SessionEventServiceGrpc.newBlockingStub(channel).subscribeSessionEvents(request.build()));
    }

    /** Keeps the cursor that every message carries. */
    private void take(SubscribeSessionEventsResponse message) {
      request.setAfterCursor(switch (message.getMessageCase()) {
        case STARTED -> message.getStarted().getCursor();
        case EVENT -> message.getEvent().getCursor();
        case HEARTBEAT -> message.getHeartbeat().getCursor();
        case GOODBYE -> message.getGoodbye().getCursor();
        default -> request.getAfterCursor();
      });
    }

    @Override
    public Map.Entry<String, Message> next() throws Exception {
      for (long pause = 50;; pause = Math.min(pause * 2, 1000)) {
        try {
          while (messages.hasNext()) {
            var message = messages.next();
            take(message);
            if (message.hasEvent()) return Map.entry("event", message.getEvent());
          }
        } catch (StatusRuntimeException error) {
          if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) throw error;
        }
        Thread.sleep(pause);
        subscribe();
      }
    }

    @Override
    public void cancel() {
      context.cancel(null);
    }
  }

  private static JsonObject next(JsonObject order) throws Exception {
    var answer = new JsonObject();
    try {
      var message = streams.get(text(order, "stream")).next();
      if (message == null) answer.addProperty("end", true);
      else answer.add(message.getKey(), json(message.getValue()));
    } catch (StatusRuntimeException error) {
      answer.add("error", json(error));
    }
    return answer;
  }

  private static JsonObject cancel(JsonObject order) throws Exception {
    var stream = streams.get(text(order, "stream"));
    stream.cancel();
    JsonObject answer;
    do {
      answer = next(order);
    } while (!answer.has("end") && !answer.has("error"));
    streams.remove(text(order, "stream"));
    return answer;
  }

  private static Channel channelOf(JsonObject order) {
    var metadata = new Metadata();
    if (order.has("metadata")) {
      order.getAsJsonObject("metadata").entrySet().forEach(entry -> metadata.put(
          Metadata.Key.of(entry.getKey(), Metadata.ASCII_STRING_MARSHALLER), entry.getValue().getAsString()));
    }
    return ClientInterceptors.intercept(
        channels.get(text(order, "channel")), MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  @SuppressWarnings("unchecked")
  private static MethodDescriptor<Message, Message> methodOf(JsonObject order) {
    return (MethodDescriptor<Message, Message>) SERVICES.stream()
        .flatMap(service -> service.getMethods().stream())
        .filter(method -> method.getFullMethodName().equals(text(order, "rpc")))
        .findAny().orElseThrow();
  }

  private static Message request(JsonObject order, MethodDescriptor<Message, Message> method) throws Exception {
    var marshaller = (PrototypeMarshaller<Message>) method.getRequestMarshaller();
    var builder = marshaller.getMessagePrototype().newBuilderForType();
    JsonFormat.parser().merge(order.get("request").toString(), builder);
    return builder.build();
  }

  private static CallOptions options(JsonObject order) {
    return CallOptions.DEFAULT.withDeadlineAfter(order.get("deadline_ms").getAsLong(), TimeUnit.MILLISECONDS);
  }

  private static JsonElement json(MessageOrBuilder message) throws Exception {
    return JsonParser.parseString(JsonFormat.printer().print(message));
  }

  private static JsonObject json(Metadata trailers) {
    var texts = new JsonObject();
    if (trailers == null) return texts; // the call has not come so far
    for (String key : trailers.keys()) {
      if (!key.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        texts.addProperty(key, trailers.get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER)));
      }
    }
    return texts;
  }

  private static JsonObject json(StatusRuntimeException error) throws Exception {
    var details = new JsonObject();
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      for (Class<? extends Message> kind : List.of(ErrorInfo.class, BadRequest.class, RetryInfo.class)) {
        if (detail.is(kind)) {
          var message = detail.unpack(kind);
          details.add(message.getDescriptorForType().getFullName(), json(message));
        }
      }
    }
    var answer = new JsonObject();
    answer.addProperty("code", error.getStatus().getCode().name());
    answer.addProperty("message", error.getStatus().getDescription());
    answer.add("details", details);
    return answer;
  }

  private static String text(JsonObject order, String key) {
    return order.get(key).getAsString();
  }

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    var answers = new PrintStream(System.out, true, UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      var order = JsonParser.parseString(line).getAsJsonObject();
      answers.println(switch (text(order, "do")) {
        case "connect" -> connect(order);
        case "call" -> call(order);
        case "open" -> open(order);
        case "follow" -> follow(order);
        case "next" -> next(order);
        case "cancel" -> cancel(order);
        default -> throw new IllegalArgumentException(line);
      });
    }
    System.exit(0); // the channels would keep the process for a while
  }
}
