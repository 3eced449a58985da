// The driver of the TypeScript package: ../README.md has the orders.
import { createInterface } from "node:readline";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Client, GatewayError, LeaseLost, Park, type Place, Retry } from "ippclient";
import {
  CreateSessionRequestSchema,
  type SessionEvent,
  SessionStatus,
  StartPosition,
  SubscribeSessionEventsRequestSchema,
} from "ippclient/contract";

interface Order {
  do: "collect" | "follow" | "consume" | "stop" | "go";
  address: string;
  timing: Record<string, number>;
  timeout: number;
  request: JsonValue;
  resumed?: boolean;
  on_stop?: "CANCEL_SESSION" | "LEAVE_SESSION";
  take?: number;
  fail_at?: string;
  slow_ms?: Record<string, number>;
  place?: boolean;
  handle?: Record<string, string>;
  make?: boolean;
  parallel?: number;
}

interface Kept {
  events: string[];
  cursor: string | undefined;
}

class Broken extends Error {}
class Secret extends Error {}

const write = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const note = (what: string, event: string) => write({ note: what, event });
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function raised(error: unknown): string {
  if (error instanceof Broken) return "handler";
  if (error instanceof GatewayError) return error.reason || error.codeName;
  return String(error);
}

/** A place in memory: what a transaction wrote is there once it has committed. */
class Books implements Place<Kept> {
  readonly kept: Kept = { events: [], cursor: undefined };

  async load(): Promise<string | undefined> {
    return this.kept.cursor;
  }

  async transaction(work: (written: Kept) => Promise<void>): Promise<void> {
    const written: Kept = { events: [], cursor: this.kept.cursor };
    await work(written);
    this.kept.events.push(...written.events);
    this.kept.cursor = written.cursor;
  }

  async store(written: Kept, cursor: string): Promise<void> {
    written.cursor = cursor;
  }
}

class Run {
  readonly stop = new AbortController();
  go: () => void = () => {};
  private readonly gone = new Promise<void>((resolve) => {
    this.go = resolve;
  });
  private readonly client: Client;

  constructor(private readonly order: Order) {
    const timing = Object.fromEntries(Object.entries(order.timing).map(([key, value]) => [camel(key), value * 1000]));
    this.client = new Client(order.address, { timing });
  }

  async answer(): Promise<void> {
    const what = { collect: () => this.collect(), follow: () => this.follow(), consume: () => this.consume() };
    if (this.order.do === "stop" || this.order.do === "go") return;
    write(await what[this.order.do]());
    this.client.close();
  }

  private async collect(): Promise<object> {
    const steps: string[] = [];
    const payment = await this.client.collect(fromJson(CreateSessionRequestSchema, this.order.request), {
      timeout: this.order.timeout * 1000,
      resumed: this.order.resumed ?? false,
      onStop: this.order.on_stop ?? "CANCEL_SESSION",
      signal: this.stop.signal,
      onStep: (step) => steps.push(SessionStatus[step.session?.status ?? 0] ?? ""),
    });
    const { money, end, requestId, session } = payment;
    return { money, end, request_id: requestId, order_id: session.orderId, steps };
  }

  private async follow(): Promise<object> {
    const request = fromJson(SubscribeSessionEventsRequestSchema, this.order.request);
    const seen: string[] = [];
    const books = new Books();
    const { signal } = this.stop;
    const handle = async ({ eventId }: SessionEvent) => {
      seen.push(eventId);
      note("handling", eventId);
      if (eventId === this.order.fail_at) throw new Broken();
      const slow = this.order.slow_ms?.[eventId];
      if (slow) await Promise.race([this.gone, new Promise((resolve) => setTimeout(resolve, slow))]);
      if (seen.length === this.order.take) this.stop.abort();
    };
    const follower = this.client.follow(request, { signal });
    let fault = "";
    try {
      if (this.order.place) {
        await this.client.followInto(
          books,
          request,
          async (written, event) => {
            written.events.push(event.eventId);
            await handle(event);
          },
          { signal },
        );
      } else {
        for await (const event of follower) await handle(event);
      }
    } catch (error) {
      fault = raised(error);
    }
    const cursor = this.order.place ? books.kept.cursor : follower.cursor;
    return { events: seen, raised: fault, cursor, skipped: follower.skipped, kept: books.kept.events };
  }

  private async consume(): Promise<object> {
    const [seen, lost, told]: [string[], string[], string[]] = [[], [], []];
    let fault = "";
    const position = { case: "position" as const, value: StartPosition.FROM_NOW };
    const subscription = this.order.make ? { name: "books", start: { place: position } } : "books";
    try {
      await this.client.consume(
        subscription,
        async (delivery) => {
          const event = delivery.event.eventId;
          seen.push(event);
          note("handling", event);
          const what = this.order.handle?.[event];
          if (what === "retry") throw new Retry("not yet", 7000);
          if (what === "park") throw new Park("no such order");
          if (what === "throw") throw new Secret("the password is hunter2");
          if (what === "hold") await this.gone;
          if (what === "until_lost") {
            await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
            told.push(event);
          }
          if (what === "check") {
            await delivery.check().catch((error: unknown) => {
              if (error instanceof LeaseLost) told.push(event);
              throw error;
            });
          }
        },
        {
          signal: this.stop.signal,
          ...(this.order.parallel ? { parallel: this.order.parallel } : {}),
          onLeaseLost: (delivery) => {
            lost.push(delivery.event.eventId);
            note("lost", delivery.event.eventId);
          },
        },
      );
    } catch (error) {
      fault = raised(error);
    }
    return { events: seen, lost, told, raised: fault };
  }
}

let run: Run | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  if (order.do === "stop") run?.stop.abort();
  else if (order.do === "go") run?.go();
  else {
    run = new Run(order);
    void run.answer();
  }
}
