package co.kustom.ipp.client;

import co.kustom.ipp.v1.Session;

/**
 * What became of the money. {@code session} is as last seen, empty if none was; {@code error} says why, where it is not the
 * session's own end, else it is null.
 */
public record Payment(Money money, End end, Session session, String requestId, GatewayException error) {}
