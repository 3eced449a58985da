// Client of ipp-gateway: payments that are made once, and events that are not missed.
//
// docs/client-rules.md of the gateway has the rules: what is repeated, for how long, what is thrown, what is never assumed.
export { Client, type ClientOptions } from "./client.js";
export { newRequestId } from "./create.js";
export { type ConsumeOptions, type Handler } from "./consume.js";
export { type Delivery, Park, Retry } from "./delivery.js";
export { GatewayError, LeaseLost, type Outcome } from "./errors.js";
export { Follower, type Place } from "./follow.js";
export { type CollectOptions, type End, type Money, type OnStop, type Payment } from "./payment.js";
export { stopOnSignals, type Timing } from "./timing.js";
