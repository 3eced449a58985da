// A Node client of the gateway: one call of every service, and a payment followed to its end.
//
//     node client.mjs 127.0.0.1:50051
//
// The gateway must be connected to the playground or to ipp-simulator, where a card can be tapped by a call.
// Exit code 0 when the session was FINALIZED.

import { randomUUID } from "node:crypto";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { DeviceService } from "./gen/kustom/ipp/v1/device_pb.js";
import { EnrollmentService } from "./gen/kustom/ipp/v1/enrollment_pb.js";
import { LocationService } from "./gen/kustom/ipp/v1/location_pb.js";
import { CreateState, OutcomeService } from "./gen/kustom/ipp/v1/outcome_pb.js";
import { OrderItemType, SessionService } from "./gen/kustom/ipp/v1/session_pb.js";
import {
  SessionEventService,
  SessionEventType,
  StartPosition,
} from "./gen/kustom/ipp/v1/session_event_pb.js";
import { SimulationService, TapOutcome } from "./gen/kustom/ipp/v1/simulation_pb.js";

// A call without a deadline may wait for ever.
const callOptions = { timeoutMs: 10_000 };
const streamMs = 30_000;

const ended = [SessionEventType.CANCELLED, SessionEventType.EXPIRED, SessionEventType.FAILED];

async function main(address) {
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });

  // Location, enrollment, device: plain reads. A page token would ask for the next page.
  const locations = await createClient(LocationService, transport).listLocations(
    { pageSize: 10 },
    callOptions,
  );
  console.log(`node: ${locations.totalSize} locations`);

  const enrollments = await createClient(EnrollmentService, transport).listEnrollments(
    { pageSize: 10 },
    callOptions,
  );
  console.log(`node: ${enrollments.totalSize} enrollments`);

  // A requestId on everything that creates: it names the creation in errors and events.
  const simulation = createClient(SimulationService, transport);
  const made = await simulation.createSimulatedDevice(
    { requestId: randomUUID(), name: "Till from Node" },
    callOptions,
  );

  const { device } = await createClient(DeviceService, transport).getDevice(
    { deviceId: made.device.id },
    callOptions,
  );
  console.log(`node: device ${device.id} is called ${device.name}`);

  // The stream is opened before the session is made, and its first message awaited, so that no event can be
  // missed.
  const events = createClient(SessionEventService, transport);
  const abort = new AbortController();
  const stream = events
    .subscribeSessionEvents(
      { start: { case: "position", value: StartPosition.FROM_NOW } },
      { timeoutMs: streamMs, signal: abort.signal },
    )
    [Symbol.asyncIterator]();
  const first = await stream.next();
  if (first.done || first.value.message.case !== "started") {
    throw new Error("the stream did not begin with `started`");
  }

  // Minor units as bigint, tax included: 250.00 SEK with 25 % tax in it.
  const order = {
    requestId: randomUUID(),
    deviceId: device.id,
    orderAmount: 25000n,
    orderTaxAmount: 5000n,
    purchaseCurrency: "SEK",
    orderItems: [
      {
        type: OrderItemType.PHYSICAL,
        name: "Coffee beans",
        quantity: 1n,
        unitPrice: 25000n,
        totalAmount: 25000n,
        taxRate: 2500n,
        totalTaxAmount: 5000n,
      },
    ],
    merchantReference1: "node-1",
  };
  const { session } = await createClient(SessionService, transport).createSession(order, callOptions);
  console.log(`node: session ${session.sessionId} of 250.00 SEK`);
  await createAgain(transport, order, session.sessionId);

  await simulation.simulateCardTap(
    { sessionId: session.sessionId, outcome: TapOutcome.SUCCESS },
    callOptions,
  );

  const finalized = await follow(stream, session.sessionId);
  abort.abort();

  const history = await events.listSessionEvents(
    { filter: { sessionIds: [session.sessionId] } },
    callOptions,
  );
  console.log(`node: history: ${history.events.map((event) => SessionEventType[event.type]).join(", ")}`);
  console.log(`node: FINALIZED, order ${finalized.orderId}, cursor ${finalized.cursor}`);
}

// The same requestId never makes a second session.
async function createAgain(transport, order, sessionId) {
  const sessions = createClient(SessionService, transport);
  let trailers;
  const again = await sessions.createSession(order, {
    ...callOptions,
    onTrailer: (received) => (trailers = received),
  });
  check(again.replayed && again.session.sessionId === sessionId, "not the same session again");
  check(trailers.get("x-request-id") === order.requestId, "no x-request-id");
  console.log("node: created again: the same session");

  const [item] = order.orderItems;
  const other = {
    ...order,
    orderAmount: 30000n,
    orderItems: [{ ...item, unitPrice: 30000n, totalAmount: 30000n }],
  };
  const error = await sessions.createSession(other, callOptions).then(
    () => new Error("another order got the same request id"),
    ConnectError.from,
  );
  if (!(error instanceof ConnectError)) throw error;
  const [info] = error.findDetails(ErrorInfoSchema);
  check(
    error.code === Code.InvalidArgument && info?.reason === "REQUEST_ID_REUSED",
    `another order: ${Code[error.code]} ${info?.reason}`,
  );
  check(
    info.domain === "ipp.kustom.co" &&
      info.metadata.outcome === "NOT_SENT" &&
      info.metadata.request_id === order.requestId,
    `ErrorInfo is ${JSON.stringify(info)}`,
  );
  const fields = error
    .findDetails(BadRequestSchema)
    .flatMap((bad) => bad.fieldViolations.map((violation) => violation.field));
  check(fields.includes("order_amount"), `the fields that differ are ${fields}`);
  check(error.metadata.get("x-request-id") === order.requestId, "no x-request-id");
  console.log(`node: another order with its id: ${info.reason}, ${fields.join(", ")}`);

  const { outcome } = await createClient(OutcomeService, transport).getCreateOutcome(
    { requestId: order.requestId },
    callOptions,
  );
  check(
    outcome.state === CreateState.EXECUTED && outcome.sessionId === sessionId,
    `the outcome is ${CreateState[outcome.state]} ${outcome.sessionId}`,
  );
  console.log(`node: ${outcome.rpc} was ${CreateState[outcome.state]}`);
}

function check(good, problem) {
  if (!good) throw new Error(problem);
}

// Reads on until the session has ended. The cursor of the last message seen resumes a stream.
async function follow(stream, sessionId) {
  for (let next = await stream.next(); !next.done; next = await stream.next()) {
    const { message } = next.value;
    if (message.case !== "event" || message.value.sessionId !== sessionId) continue;
    const event = message.value;
    console.log(`node: event ${SessionEventType[event.type]}`);
    if (event.type === SessionEventType.FINALIZED) return event;
    if (ended.includes(event.type)) {
      throw new Error(`the session ended as ${SessionEventType[event.type]}`);
    }
  }
  throw new Error("the stream ended before the session");
}

if (process.argv.length !== 3) {
  console.error("usage: client.mjs HOST:PORT");
  process.exit(1);
}
try {
  await main(process.argv[2]);
  process.exit(0); // the transport would keep its connection open for a while
} catch (error) {
  const text = error instanceof ConnectError ? `${Code[error.code]}: ${error.rawMessage}` : error.message;
  console.error(`node: ${text}`);
  process.exit(1);
}
