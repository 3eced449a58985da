// Package ippclient is the client of ipp-gateway: payments that are made once, and events that are not missed.
//
// Collect takes one payment from the request to what became of the money. Consume handles the events of a shared
// subscription, in one pod or ten. Follow and FollowInto are for a program that keeps its own place in the log.
//
// The rules, in every language the same, are in docs/client-rules.md of the gateway: what is repeated, for how long, what
// is returned, what is never assumed.
package ippclient
