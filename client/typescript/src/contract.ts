// The contract's messages and services, from the protos: what requests are made of, and how answers are read.
export * from "./gen/kustom/ipp/v1/device_pb.js";
export * from "./gen/kustom/ipp/v1/enrollment_pb.js";
export * from "./gen/kustom/ipp/v1/location_pb.js";
export * from "./gen/kustom/ipp/v1/outcome_pb.js";
export * from "./gen/kustom/ipp/v1/report_pb.js";
export * from "./gen/kustom/ipp/v1/session_pb.js";
export * from "./gen/kustom/ipp/v1/session_event_pb.js";
export * from "./gen/kustom/ipp/v1/session_history_pb.js";
export * from "./gen/kustom/ipp/v1/shared_subscription_pb.js";
export * from "./gen/kustom/ipp/v1/simulation_pb.js";
