package co.kustom.ipp.client;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** The pauses before new tries: each twice as long as the one before, half of it random. */
final class Pauses {
  private static final Duration SHORTEST = Duration.ofMillis(10);
  private final Duration first;
  private final Duration longest;
  private int failures;

  Pauses(Duration first, Duration longest) {
    this.first = first;
    this.longest = longest;
  }

  /** The next pause: never shorter than the gateway asked for. */
  Duration next(Duration asked) {
    double limit = Math.min(first.toNanos() * Math.pow(2, Math.min(failures, 30)), longest.toNanos());
    failures++;
    var pause = Duration.ofNanos((long) (limit * ThreadLocalRandom.current().nextDouble(0.5, 1)));
    if (pause.compareTo(asked) < 0) pause = asked;
    return pause.compareTo(SHORTEST) < 0 ? SHORTEST : pause;
  }

  void reset() {
    failures = 0;
  }
}
