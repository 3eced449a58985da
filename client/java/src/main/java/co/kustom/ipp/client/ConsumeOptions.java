package co.kustom.ipp.client;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.function.Consumer;

/** How {@link IppClient#consume} is done. Begin with {@code new ConsumeOptions()}; each method returns this. */
public final class ConsumeOptions {
  int maxInFlight = 16;
  int parallel;
  String consumer = "";
  boolean skipExpired;
  Stop stop = new Stop();
  Consumer<Delivery> onLeaseLost = delivery -> {};

  /** Events that this pod may have at once: 16. */
  public ConsumeOptions maxInFlight(int events) {
    maxInFlight = events;
    return this;
  }

  /** Handlers that run at once: maxInFlight. */
  public ConsumeOptions parallel(int handlers) {
    parallel = handlers;
    return this;
  }

  /** Who receives, for people: the host's name. */
  public ConsumeOptions consumer(String name) {
    consumer = name;
    return this;
  }

  /** Go on behind events that retention has removed. */
  public ConsumeOptions skipExpired(boolean skip) {
    skipExpired = skip;
    return this;
  }

  /** Stops it. */
  public ConsumeOptions stop(Stop by) {
    stop = by;
    return this;
  }

  /** Hears of each lease that another pod has got. */
  public ConsumeOptions onLeaseLost(Consumer<Delivery> call) {
    onLeaseLost = call;
    return this;
  }

  int handlers() {
    return parallel > 0 ? parallel : maxInFlight;
  }

  String name() {
    if (!consumer.isEmpty()) return consumer;
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException unnamed) {
      return "";
    }
  }
}
