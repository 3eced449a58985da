// A place on PostgreSQL: the cursor moves in the transaction of what the handler writes.
//
//   const place = new PostgresPlace(new pg.Pool(), "bookkeeping"); // after `await place.prepare()`
//   await client.followInto(place, request, async (transaction, event) => …); // writes with that client
import type { Place } from "ippclient";

/** A client of a pool of `pg`. */
export interface Transaction {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: { cursor?: unknown }[] }>;
  release(): void;
}

export interface Pool {
  connect(): Promise<Transaction>;
}

const table = "CREATE TABLE IF NOT EXISTS ipp_place (name text PRIMARY KEY, cursor text NOT NULL)";
const load = "SELECT cursor FROM ipp_place WHERE name = $1";
const store = "INSERT INTO ipp_place VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor";

/** One row of a table, by name. */
export class PostgresPlace implements Place<Transaction> {
  constructor(
    private readonly pool: Pool,
    private readonly name: string,
  ) {}

  /** Makes the table unless it is there. */
  async prepare(): Promise<void> {
    await this.transaction(async (transaction) => void (await transaction.query(table)));
  }

  async load(): Promise<string | undefined> {
    let cursor: string | undefined;
    await this.transaction(async (transaction) => {
      const { rows } = await transaction.query(load, [this.name]);
      if (rows[0]) cursor = String(rows[0].cursor);
    });
    return cursor;
  }

  async transaction(work: (transaction: Transaction) => Promise<void>): Promise<void> {
    const transaction = await this.pool.connect();
    try {
      await transaction.query("BEGIN");
      await work(transaction);
      await transaction.query("COMMIT");
    } catch (error) {
      await transaction.query("ROLLBACK");
      throw error;
    } finally {
      transaction.release();
    }
  }

  async store(transaction: Transaction, cursor: string): Promise<void> {
    await transaction.query(store, [this.name, cursor]);
  }
}
