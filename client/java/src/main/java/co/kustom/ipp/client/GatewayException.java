package co.kustom.ipp.client;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Map;
import java.util.Set;

/** An error of the gateway. One that gRPC made itself (no connection, a deadline) has only a code and a message. */
public final class GatewayException extends RuntimeException {
  private static final long serialVersionUID = 1;
  // A new try of a call or a stream that ended with one of these would end the same way.
  private static final Set<Status.Code> FINAL = Set.of(Status.Code.INVALID_ARGUMENT, Status.Code.PERMISSION_DENIED,
      Status.Code.UNAUTHENTICATED, Status.Code.NOT_FOUND, Status.Code.UNIMPLEMENTED);

  private final Status.Code code;
  private final String reason;
  private final Outcome outcome;
  private final transient Map<String, String> metadata;
  private final Duration retryDelay;

  GatewayException(Status.Code code, String message, String reason, Outcome outcome) {
    this(code, message, reason, outcome, Map.of(), Duration.ZERO);
  }

  private GatewayException(Status.Code code, String message, String reason, Outcome outcome,
      Map<String, String> metadata, Duration retryDelay) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.outcome = outcome;
    this.metadata = metadata;
    this.retryDelay = retryDelay;
  }

  static GatewayException of(StatusRuntimeException error) {
    var info = ErrorInfo.getDefaultInstance();
    var wait = Duration.ZERO;
    try {
      for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
        if (detail.is(ErrorInfo.class)) info = detail.unpack(ErrorInfo.class);
        if (detail.is(RetryInfo.class)) {
          wait = Duration.ofMillis(Durations.toMillis(detail.unpack(RetryInfo.class).getRetryDelay()));
        }
      }
    } catch (InvalidProtocolBufferException unreadable) {
      // The code alone must do.
    }
    var metadata = info.getMetadataMap();
    return new GatewayException(error.getStatus().getCode(), String.valueOf(error.getStatus().getDescription()),
        info.getReason(), outcomeOf(metadata.get("outcome")), metadata, wait);
  }

  private static Outcome outcomeOf(String name) {
    for (var each : Outcome.values()) {
      if (each.name().equals(name)) return each;
    }
    return null;
  }

  public Status.Code code() {
    return code;
  }

  /** Stable, for programs: docs/when-a-call-fails.md has every one. Empty: gRPC's own error. */
  public String reason() {
    return reason;
  }

  /** Null: the gateway claims none. */
  public Outcome outcome() {
    return outcome;
  }

  /** Of an earlier create with the same request_id; or null. */
  public Outcome earlierOutcome() {
    return outcomeOf(metadata.get("earlier_outcome"));
  }

  public Map<String, String> metadata() {
    return metadata;
  }

  /** Wait at least this long. */
  public Duration retryDelay() {
    return retryDelay;
  }

  public boolean retrySafe() {
    return "true".equals(metadata.get("retry_safe"));
  }

  @Override
  public String toString() {
    return code + ": " + getMessage() + " (" + reason + ", " + outcome + ")";
  }

  boolean retryHeals() {
    return !FINAL.contains(code);
  }

  /** Whether another try of a create, with the same request_id, is safe and may help. */
  boolean mayRepeat() {
    if (reason.isEmpty()) return code == Status.Code.UNAVAILABLE; // no connection, or one that broke
    boolean busy = code == Status.Code.UNAVAILABLE || code == Status.Code.RESOURCE_EXHAUSTED;
    return busy && retrySafe() && outcome != Outcome.UNKNOWN;
  }

  GatewayException withOutcome(Outcome other) {
    return new GatewayException(code, getMessage(), reason, other, metadata, retryDelay);
  }
}
