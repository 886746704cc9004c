// Random conversations against a small model of the contract, about keys of both shards.

import { beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { BACKENDS, call, targets } from "./targets.ts";

const RUNS = 60;
const NAMESPACE = `property${Date.now()}`;
/** A full key of each shard, twice: filled before the tests run. */
let keys: string[] = [];

interface Entry {
  value: string;
  metadata: string | null;
  tag: string;
  /** Epoch milliseconds as this process's clock has it, give or take TOLERANCE_MS; null: never. */
  expiresAt: number | null;
}

/** Expiries of a run differ by at least a minute, so that the order of two is beyond doubt. */
const TOLERANCE_MS = 20_000;
const hours = fc.integer({ min: 1, max: 4 });
const expiry = fc.oneof(
  fc.record({ kind: fc.constant("ttl" as const), hours }),
  fc.record({ kind: fc.constant("ttl_ms" as const), hours }),
  fc.record({ kind: fc.constant("expires_at" as const), hours }),
  fc.constant({ kind: "past" as const, hours: 0 }),
);
const tag = fc.constantFrom("current", "stale", "any", "bogus");
const key = fc.nat({ max: 3 });
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("put" as const),
      key,
      value: fc.string({ maxLength: 20, unit: "binary" }),
      metadata: fc.option(
        fc.json({ maxDepth: 1 }).map((text) => text.replace(/[^ -~]/g, "?")),
        { nil: null },
      ),
      expiry: fc.option(fc.oneof(expiry, fc.constant("keep" as const)), { nil: null }),
      ifMatch: fc.option(tag, { nil: null, freq: 2 }),
      ifNoneMatch: fc.option(tag, { nil: null, freq: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("get" as const), key, head: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("delete" as const), key, ifMatch: fc.option(tag, { nil: null }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("readTtl" as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("setTtl" as const),
      key,
      expiry,
      if: fc.constantFrom(null, "nx", "xx", "gt", "lt"),
      ifMatch: fc.option(tag, { nil: null, freq: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("persist" as const), key }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
type Expiry = typeof expiry extends fc.Arbitrary<infer T> ? T : never;

beforeAll(async () => {
  const { status, url } = targets.vitess;
  const { host, port, user, password } = status.vtgates[0];
  const candidates = Array.from({ length: 40 }, (_, i) => `candidate-${i}`);
  await Promise.all(candidates.map((name) => call(`${url}/v1/kv/${NAMESPACE}/${name}`, { method: "PUT", body: "" })));
  for (const shard of status.shards) {
    const connection = await createConnection({ host, port, user, password, database: `kv:${shard}@primary` });
    const [rows] = await connection.query<RowDataPacket[]>("SELECT `key` FROM entries WHERE `key` LIKE ? LIMIT 2", [
      `${NAMESPACE}/%`,
    ]);
    connection.destroy();
    keys = keys.concat(rows.map((row) => String(row.key).split("/")[1] as string));
  }
  expect(keys.length).toBe(4);
});

describe.each(BACKENDS)("model on %s", (backend) => {
  test(
    "every answer is the model's",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
          const model = new Conversation(`${targets[backend].url}/v1/kv/${NAMESPACE}`);
          await model.clear();
          for (const [i, each] of operations.entries()) await model.perform(each, i);
          await model.compareAll();
        }),
        { numRuns: RUNS },
      );
    },
    { timeout: 300_000 },
  );
});

class Conversation {
  private readonly entries = new Map<number, Entry>();
  private readonly stale = new Map<number, string>();

  constructor(private readonly base: string) {}

  private url(key: number) {
    return `${this.base}/${keys[key]}`;
  }

  async clear() {
    await Promise.all(keys.map((_, key) => call(this.url(key), { method: "DELETE" })));
  }

  async perform(operation: Operation, index: number) {
    switch (operation.op) {
      case "put":
        return await this.put(operation, index);
      case "get":
        return await this.compare(operation.key, operation.head);
      case "delete":
        return await this.delete(operation);
      case "readTtl":
        return await this.compareTtl(operation.key);
      case "setTtl":
        return await this.setTtl(operation, index);
      case "persist":
        return await this.persist(operation);
    }
  }

  async compareAll() {
    for (const key of keys.keys()) {
      await this.compare(key, false);
      await this.compareTtl(key);
    }
  }

  private async put(operation: Operation & { op: "put" }, index: number) {
    const { key, value, metadata, ifMatch, ifNoneMatch } = operation;
    const before = this.entries.get(key);
    const query =
      operation.expiry === "keep" ? "?keep_ttl=true" : operation.expiry ? `?${spell(operation.expiry, index)}` : "";
    const answer = await call(this.url(key) + query, {
      method: "PUT",
      body: Buffer.from(value, "utf8"),
      headers: {
        ...(metadata !== null && { "KV-Metadata": metadata }),
        ...(ifMatch && { "If-Match": this.tag(key, ifMatch) }),
        ...(ifNoneMatch && { "If-None-Match": this.tag(key, ifNoneMatch) }),
      },
    });
    const holds = (!ifMatch || this.matches(key, ifMatch)) && (!ifNoneMatch || !this.matches(key, ifNoneMatch));
    expect(answer.status).toBe(holds ? 204 : 412);
    if (!holds) return;
    const tag = answer.headers.get("ETag") ?? "";
    expect(tag).not.toBe(before?.tag ?? "");
    if (before) this.stale.set(key, before.tag);
    const expiresAt =
      operation.expiry === "keep"
        ? (before?.expiresAt ?? null)
        : operation.expiry
          ? instant(operation.expiry, index)
          : null;
    this.set(key, { value, metadata, tag, expiresAt });
  }

  private async delete({ key, ifMatch }: Operation & { op: "delete" }) {
    const headers: Record<string, string> = ifMatch ? { "If-Match": this.tag(key, ifMatch) } : {};
    const answer = await call(this.url(key), { method: "DELETE", headers });
    const holds = !ifMatch || this.matches(key, ifMatch);
    expect(answer.status).toBe(holds ? 204 : 412);
    if (!holds) return;
    const before = this.entries.get(key);
    if (before) this.stale.set(key, before.tag);
    this.entries.delete(key);
  }

  private async setTtl(operation: Operation & { op: "setTtl" }, index: number) {
    const { key, ifMatch } = operation;
    const entry = this.entries.get(key);
    const [[field, number]] = [...new URLSearchParams(spell(operation.expiry, index))] as [[string, string]];
    const answer = await call(`${this.url(key)}/ttl${operation.if ? `?if=${operation.if}` : ""}`, {
      method: "PUT",
      body: JSON.stringify({ [field]: Number(number) }),
      headers: ifMatch ? { "If-Match": this.tag(key, ifMatch) } : {},
    });
    if (!entry) {
      expect(answer.status).toBe(404);
      return;
    }
    const next = instant(operation.expiry, index);
    const current = entry.expiresAt ?? Number.POSITIVE_INFINITY;
    const holds =
      (!ifMatch || this.matches(key, ifMatch)) &&
      {
        always: true,
        nx: entry.expiresAt === null,
        xx: entry.expiresAt !== null,
        gt: next > current,
        lt: next < current,
      }[operation.if ?? "always"];
    expect(answer.status).toBe(holds ? 200 : 412);
    if (!holds) return;
    this.set(key, { ...entry, expiresAt: next });
    expectNear((await answer.json()) as TtlAnswer, next);
  }

  private async persist({ key }: Operation & { op: "persist" }) {
    const answer = await call(`${this.url(key)}/ttl`, { method: "DELETE" });
    const entry = this.entries.get(key);
    expect(answer.status).toBe(entry ? 204 : 404);
    if (entry) entry.expiresAt = null;
  }

  private async compare(key: number, head: boolean) {
    const answer = await call(this.url(key), { method: head ? "HEAD" : "GET" });
    const entry = this.entries.get(key);
    expect(answer.status).toBe(entry ? 200 : 404);
    if (!entry) return;
    if (!head) expect(await answer.text()).toBe(Buffer.from(entry.value, "utf8").toString());
    expect(answer.headers.get("ETag")).toBe(entry.tag);
    // A field value has no white space at its ends.
    expect(answer.headers.get("KV-Metadata")).toBe(entry.metadata?.trim() ?? null);
    expect(answer.headers.has("KV-Expires-At")).toBe(entry.expiresAt !== null);
  }

  private async compareTtl(key: number) {
    const answer = await call(`${this.url(key)}/ttl`);
    const entry = this.entries.get(key);
    expect(answer.status).toBe(entry ? 200 : 404);
    if (entry) expectNear((await answer.json()) as TtlAnswer, entry.expiresAt);
  }

  /** An entry whose expiry is past is none. */
  private set(key: number, entry: Entry) {
    if (entry.expiresAt !== null && entry.expiresAt <= Date.now()) this.entries.delete(key);
    else this.entries.set(key, entry);
  }

  private tag(key: number, which: string): string {
    if (which === "any") return "*";
    if (which === "current") return this.entries.get(key)?.tag ?? '"none"';
    if (which === "stale") return this.stale.get(key) ?? '"none"';
    return '"bogus"';
  }

  private matches(key: number, which: string): boolean {
    const entry = this.entries.get(key);
    return entry !== undefined && (which === "any" || this.tag(key, which) === entry.tag);
  }
}

interface TtlAnswer {
  ttl_ms: number | null;
  expires_at: string | null;
}

function expectNear({ ttl_ms, expires_at }: TtlAnswer, expiresAt: number | null) {
  if (expiresAt === null) {
    expect([ttl_ms, expires_at]).toEqual([null, null]);
    return;
  }
  expect(Math.abs(Date.parse(expires_at ?? "") - expiresAt)).toBeLessThan(TOLERANCE_MS);
  if (expiresAt > Date.now()) expect(Math.abs((ttl_ms ?? 0) - (expiresAt - Date.now()))).toBeLessThan(TOLERANCE_MS);
}

/** Each operation of a run has expiries of its own: whole hours, and as many minutes as its index. */
function offsetSeconds({ hours }: Expiry, index: number) {
  return hours * 3600 + index * 60;
}

function instant(expiry: Expiry, index: number): number {
  return expiry.kind === "past" ? 1000 : Date.now() + offsetSeconds(expiry, index) * 1000;
}

function spell(expiry: Expiry, index: number): string {
  const seconds = offsetSeconds(expiry, index);
  switch (expiry.kind) {
    case "ttl":
      return `ttl=${seconds}`;
    case "ttl_ms":
      return `ttl_ms=${seconds * 1000}`;
    case "expires_at":
      return `expires_at=${Math.floor(Date.now() / 1000) + seconds}`;
    case "past":
      return "expires_at=1";
  }
}
