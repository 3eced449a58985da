// Follows into client/typescript/examples/postgres-place.ts. ../../place_test.py has what it does.
import pg from "pg";
import { create } from "@bufbuild/protobuf";
import { Client } from "ippclient";
import { StartPosition, SubscribeSessionEventsRequestSchema } from "ippclient/contract";
import { PostgresPlace } from "./postgres-place.js";

class Broken extends Error {}

const stop = new AbortController();
const pool = new pg.Pool({ connectionString: process.env.DATABASE });
const client = new Client(process.env.GATEWAY, { timing: { firstStreamPause: 10, longestStreamPause: 50 } });
const place = new PostgresPlace(pool, "books");
await place.prepare();
const request = create(SubscribeSessionEventsRequestSchema, {
  start: { case: "position", value: StartPosition.FROM_OLDEST },
});
try {
  await client.followInto(
    place,
    request,
    async (transaction, event) => {
      await transaction.query("INSERT INTO books VALUES ($1)", [event.eventId]);
      if (event.eventId === process.env.FAIL_AT) throw new Broken();
      if (event.eventId === "e4") stop.abort();
    },
    { signal: stop.signal },
  );
} catch (error) {
  if (!(error instanceof Broken)) throw error;
  process.exitCode = 3;
}
client.close();
await pool.end();
