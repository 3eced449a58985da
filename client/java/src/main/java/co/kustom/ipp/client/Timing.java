package co.kustom.ipp.client;

import java.time.Duration;

/**
 * How long things take, and how long they may. {@link #PRODUCTION} has the defaults; tests shorten them.
 *
 * @param call the deadline of one unary try
 * @param create no try of a create begins, or lasts, beyond it
 * @param answerAllowance after {@code create}: a try may still be on its way
 * @param look a session without an answer is waited for this long, then its create is looked up again
 * @param firstPause before a call is repeated: doubles, and half of it is random
 * @param longestPause its end
 * @param firstStreamPause the same before a stream is begun again
 * @param longestStreamPause its end
 * @param heartbeat asked of the gateway; a stream that is silent three times as long is dead
 * @param keepalive a connection that is in use is asked this often whether it lives
 * @param keepaliveAnswer how long it may take to say so
 * @param stop what is under way may take this long after a stop
 */
public record Timing(Duration call, Duration create, Duration answerAllowance, Duration look, Duration firstPause,
    Duration longestPause, Duration firstStreamPause, Duration longestStreamPause, Duration heartbeat,
    Duration keepalive, Duration keepaliveAnswer, Duration stop) {
  public static final Timing PRODUCTION = new Timing(Duration.ofSeconds(10), Duration.ofSeconds(30),
      Duration.ofSeconds(1), Duration.ofSeconds(10), Duration.ofMillis(100), Duration.ofSeconds(5),
      Duration.ofMillis(250), Duration.ofSeconds(30), Duration.ofSeconds(15), Duration.ofSeconds(30),
      Duration.ofSeconds(10), Duration.ofSeconds(10));

  Duration silence() {
    return heartbeat.multipliedBy(3);
  }

  Pauses pauses() {
    return new Pauses(firstPause, longestPause);
  }

  Pauses streamPauses() {
    return new Pauses(firstStreamPause, longestStreamPause);
  }
}
