// A Node client of the gateway under the conformance kit (../README.md): does the orders on stdin, answers on stdout.
//
//     node client.mjs STUBS_FOLDER

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import grpc from "@grpc/grpc-js";

const stubs = resolve(process.argv[2]);
const files = ["device", "enrollment", "location", "outcome", "report", "session", "session_event", "session_history",
  "shared_subscription", "simulation"];
const modules = await Promise.all(files.map((name) => import(`${stubs}/kustom/ipp/v1/${name}_pb.js`)));
const { StatusSchema, ErrorInfoSchema, BadRequestSchema, RetryInfoSchema } = await import(
  `${stubs}/google/rpc/error_details_pb.js`
);
const services = new Map(
  modules.flatMap(Object.values).filter((desc) => desc.kind === "service").map((desc) => [desc.typeName, desc]),
);
const followRpc = "kustom.ipp.v1.SessionEventService/SubscribeSessionEvents";
const channels = new Map();
const streams = new Map();

// What grpc-js wants to know of a service, from the generated one.
function clientOf(service) {
  const methods = service.methods.map((method) => [
    method.name,
    {
      path: `/${service.typeName}/${method.name}`,
      requestStream: false,
      responseStream: method.methodKind === "server_streaming",
      requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
      requestDeserialize: (bytes) => fromBinary(method.input, bytes),
      responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
      responseDeserialize: (bytes) => fromBinary(method.output, bytes),
    },
  ]);
  return grpc.makeGenericClientConstructor(Object.fromEntries(methods), service.typeName);
}

function connect({ channel, address, ca_file: ca, key_file: key, cert_file: certificate }) {
  const [root, ...shown] = [ca, key, certificate].map((file) => (file ? readFileSync(file) : null));
  const credentials = root ? grpc.credentials.createSsl(root, ...shown) : grpc.credentials.createInsecure();
  const clients = [...services].map(([name, service]) => [name, new (clientOf(service))(address, credentials)]);
  channels.set(channel, new Map(clients));
  return {};
}

// The client, the method and the request of an order.
function prepare(order) {
  const [serviceName, methodName] = order.rpc.split("/");
  const method = services.get(serviceName).methods.find(({ name }) => name === methodName);
  const client = channels.get(order.channel).get(serviceName);
  return { client, method, request: fromJson(method.input, order.request) };
}

function metadataOf(order) {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(order.metadata ?? {})) metadata.set(key, value);
  return metadata;
}

function call(order) {
  const { client, method, request } = prepare(order);
  return new Promise((done) => {
    const answer = {};
    const options = { deadline: Date.now() + order.deadline_ms };
    const pending = client[method.name](request, metadataOf(order), options, (error, response) => {
      if (error) answer.error = errorOf(error);
      else answer.response = toJson(method.output, response);
    });
    pending.on("status", ({ metadata }) => done({ ...answer, trailers: trailersOf(metadata) }));
    if (order.cancel_after_ms) setTimeout(() => pending.cancel(), order.cancel_after_ms);
  });
}

function open(order) {
  const { client, method, request } = prepare(order);
  const options = order.deadline_ms ? { deadline: Date.now() + order.deadline_ms } : {};
  streams.set(order.stream, new Reader(client[method.name](request, metadataOf(order), options), method.output));
  return {};
}

async function follow(order) {
  const { client, request } = prepare({ ...order, rpc: followRpc });
  const follower = new Follower(client, request);
  await follower.started();
  streams.set(order.stream, follower);
  return {};
}

async function next({ stream: name }) {
  const stream = streams.get(name);
  try {
    if (stream instanceof Follower) return { event: toJson(stream.type, (await stream.events.next()).value) };
    const { done, value } = await stream.next();
    return done ? { end: true } : { message: toJson(stream.type, value) };
  } catch (error) {
    return { error: errorOf(error) };
  }
}

async function cancel(order) {
  streams.get(order.stream).stream.cancel();
  let answer;
  do answer = await next(order);
  while (!answer.end && !answer.error);
  streams.delete(order.stream);
  return answer;
}

// A stream that is read a message ahead: one that nobody reads throws its error at the whole program.
class Reader {
  constructor(stream, type) {
    this.stream = stream;
    this.type = type;
    this.messages = stream[Symbol.asyncIterator]();
    this.readAhead();
  }

  readAhead() {
    this.ahead = this.messages.next();
    this.ahead.catch(() => {}); // whoever takes it is told
  }

  async next() {
    const got = await this.ahead;
    if (!got.done) this.readAhead();
    return got;
  }
}

// Every event after a place in the log, once, however often the way to the gateway breaks.
class Follower {
  constructor(client, request) {
    this.client = client;
    this.request = request;
    const { output } = services.get(followRpc.split("/")[0]).methods[0];
    this.type = output.fields.find(({ name }) => name === "event").message;
    this.subscribe();
    this.events = this.read();
  }

  subscribe() {
    this.stream = this.client.SubscribeSessionEvents(this.request);
    this.messages = this.stream[Symbol.asyncIterator]();
  }

  async started() {
    this.take((await this.messages.next()).value); // nothing from here on is missed
  }

  // Keeps the cursor that every message carries.
  take({ message }) {
    this.request.start = { case: "afterCursor", value: message.value.cursor };
  }

  async *read() {
    for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
      try {
        for (let next = await this.messages.next(); !next.done; next = await this.messages.next()) {
          pause = 50;
          const { message } = next.value;
          if (message.case === "event") yield message.value;
          this.take(next.value);
        }
      } catch (error) {
        if (error.code !== grpc.status.UNAVAILABLE) throw error;
      }
      await new Promise((wake) => setTimeout(wake, pause));
      this.subscribe();
    }
  }
}

function trailersOf(metadata) {
  return Object.fromEntries(Object.entries(metadata.getMap()).filter(([, value]) => typeof value === "string"));
}

function errorOf(error) {
  if (!(error.metadata instanceof grpc.Metadata)) throw error; // not of gRPC
  const details = {};
  for (const bytes of error.metadata.get("grpc-status-details-bin")) {
    for (const any of fromBinary(StatusSchema, bytes).details) {
      for (const schema of [ErrorInfoSchema, BadRequestSchema, RetryInfoSchema]) {
        const detail = anyUnpack(any, schema);
        if (detail) details[schema.typeName] = toJson(schema, detail);
      }
    }
  }
  return { code: grpc.status[error.code], message: error.details, details };
}

const orders = { connect, call, open, follow, next, cancel };
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  console.log(JSON.stringify(await orders[order.do](order)));
}
process.exit(0); // the channels would keep the process for a while
