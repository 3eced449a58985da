/**
 * Client of ipp-gateway: payments that are made once, and events that are not missed. {@link
 * co.kustom.ipp.client.IppClient} is where to begin.
 *
 * <p>docs/client-rules.md of the gateway has the rules: what is repeated, for how long, what is thrown, what is never
 * assumed.
 */
package co.kustom.ipp.client;
