// Random conversations held against the very function that decides writes, about keys of both shards.

import { beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { incrementing } from "../src/store/counter.ts";
import { type Answer, decide, isLive, type Row, type Write } from "../src/store/decide.ts";
import type { ExpireResult, IncrementResult } from "../src/store/store.ts";
import { newVersion } from "../src/store/version.ts";
import { BACKENDS, call, targets } from "./targets.ts";

const RUNS = 60;
const NAMESPACE = `property${Date.now()}`;
/** A full key of each shard, twice: filled before the tests run. */
let keys: string[] = [];

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
      value: fc.oneof(fc.string({ maxLength: 20, unit: "binary" }), fc.bigInt({ min: -5n, max: 5n }).map(String)),
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
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("increment" as const),
      key,
      by: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
      bound: fc.option(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), { nil: null, freq: 1 }),
      expiry: fc.option(expiry, { nil: null }),
      renews: fc.boolean(),
    }),
  },
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
  private readonly rows = new Map<number, Row | null>();
  /** The entity tags that the server gave for the model's versions, and those that it gave before. */
  private readonly tags = new Map<string, string>();
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
      case "increment":
        return await this.increment(operation, index);
    }
  }

  async compareAll() {
    for (const key of keys.keys()) {
      await this.compare(key, false);
      await this.compareTtl(key);
    }
  }

  /** Decides as the store would, with this process's clock. */
  private decide(key: number, write: Write): Answer {
    const before = this.live(key);
    const { row, answer } = decide(before, write, Date.now());
    if (before && row?.version !== before.version) this.stale.set(key, this.tagOf(before));
    this.rows.set(key, row);
    return answer;
  }

  private async put(operation: Operation & { op: "put" }, index: number) {
    const { key, value, metadata, ifMatch, ifNoneMatch } = operation;
    const { expiry } = operation;
    const query = expiry === "keep" ? "?keep_ttl=true" : expiry ? `?${spell(expiry, index)}` : "";
    const given = {
      ...(ifMatch && { ifMatch: this.tag(key, ifMatch) }),
      ...(ifNoneMatch && { ifNoneMatch: this.tag(key, ifNoneMatch) }),
    };
    const answer = await call(this.url(key) + query, {
      method: "PUT",
      body: Buffer.from(value, "utf8"),
      headers: {
        ...(metadata !== null && { "KV-Metadata": metadata }),
        ...(given.ifMatch && { "If-Match": given.ifMatch }),
        ...(given.ifNoneMatch && { "If-None-Match": given.ifNoneMatch }),
      },
    });
    const decided = this.decide(key, {
      kind: "put",
      version: newVersion(),
      content: { value: Buffer.from(value, "utf8"), contentType: "", metadata },
      expiry: expiry === "keep" ? "keep" : expiry ? { atMs: instant(expiry, index) } : "never",
      condition: {
        ifMatch: this.versions(key, given.ifMatch),
        ifNoneMatch: this.versions(key, given.ifNoneMatch),
      },
    });
    expect(answer.status).toBe(decided === null ? 412 : 204);
    if (decided === null) return;
    const tag = answer.headers.get("ETag") ?? "";
    expect(this.stale.get(key)).not.toBe(tag);
    this.tags.set(decided as string, tag);
  }

  private async delete({ key, ifMatch }: Operation & { op: "delete" }) {
    const tag = ifMatch === null ? undefined : this.tag(key, ifMatch);
    const headers: Record<string, string> = tag ? { "If-Match": tag } : {};
    const answer = await call(this.url(key), { method: "DELETE", headers });
    const decided = this.decide(key, { kind: "delete", ifMatch: this.versions(key, tag) });
    expect(answer.status).toBe(decided ? 204 : 412);
  }

  private async setTtl(operation: Operation & { op: "setTtl" }, index: number) {
    const { key, ifMatch } = operation;
    const [[field, number]] = [...new URLSearchParams(spell(operation.expiry, index))] as [[string, string]];
    const tag = ifMatch === null ? undefined : this.tag(key, ifMatch);
    const answer = await call(`${this.url(key)}/ttl${operation.if ? `?if=${operation.if}` : ""}`, {
      method: "PUT",
      body: JSON.stringify({ [field]: Number(number) }),
      headers: tag ? { "If-Match": tag } : {},
    });
    const expiry = { atMs: instant(operation.expiry, index) };
    const condition = { if: operation.if ?? undefined, ifMatch: this.versions(key, tag) };
    const decided = this.decide(key, { kind: "expire", expiry, condition }) as ExpireResult;
    expect(answer.status).toBe({ absent: 404, condition_failed: 412, set: 200 }[decided.outcome]);
    if (decided.outcome === "set") expectNear((await answer.json()) as TtlAnswer, decided.atMs);
  }

  private async persist({ key }: Operation & { op: "persist" }) {
    const answer = await call(`${this.url(key)}/ttl`, { method: "DELETE" });
    const decided = this.decide(key, { kind: "persist" });
    expect(answer.status).toBe(decided ? 204 : 404);
  }

  private async increment(operation: Operation & { op: "increment" }, index: number) {
    const { key, by, bound, expiry, renews } = operation;
    const ttl = expiry ? { ...Object.fromEntries(new URLSearchParams(spell(expiry, index))) } : {};
    const answer = await call(`${this.url(key)}/increment`, {
      method: "POST",
      body: JSON.stringify({
        ...{ by: String(by), ...(bound !== null && { max: String(bound) }) },
        ...Object.fromEntries(Object.entries(ttl).map(([field, number]) => [field, Number(number)])),
        ...(expiry && renews && { ttl_mode: "always" }),
      }),
    });
    const decided = this.decide(key, {
      ...{ kind: "update", version: newVersion() },
      update: incrementing({
        ...{ by, initial: 0n, max: bound ?? undefined },
        ...(expiry && { expiry: { atMs: instant(expiry, index) }, renews }),
      }),
    }) as IncrementResult;
    const document = (await answer.json()) as { value?: string; etag?: string; code?: string } & TtlAnswer;
    if (decided.outcome !== "set") {
      expect([answer.status, document.code]).toEqual([409, decided.outcome]);
      return;
    }
    expect([answer.status, document.value]).toEqual([200, String(decided.value)]);
    expect(this.stale.get(key)).not.toBe(document.etag as string);
    this.tags.set(decided.version, document.etag as string);
    expectNear(document, decided.expiry?.atMs ?? null);
  }

  private async compare(key: number, head: boolean) {
    const answer = await call(this.url(key), { method: head ? "HEAD" : "GET" });
    const row = this.live(key);
    expect(answer.status).toBe(row ? 200 : 404);
    if (!row) return;
    if (!head) expect(await answer.text()).toBe(row.content?.value.toString() ?? "");
    expect(answer.headers.get("ETag")).toBe(this.tagOf(row));
    // A field value has no white space at its ends.
    expect(answer.headers.get("KV-Metadata")).toBe(row.content?.metadata?.trim() ?? null);
    expect(answer.headers.has("KV-Expires-At")).toBe(row.expiresAtMs !== null);
  }

  private async compareTtl(key: number) {
    const answer = await call(`${this.url(key)}/ttl`);
    const row = this.live(key);
    expect(answer.status).toBe(row ? 200 : 404);
    if (row) expectNear((await answer.json()) as TtlAnswer, row.expiresAtMs);
  }

  private live(key: number): Row | null {
    const row = this.rows.get(key);
    return row && isLive(row, Date.now()) ? row : null;
  }

  private tagOf({ version }: Row): string {
    return this.tags.get(version) ?? "";
  }

  private tag(key: number, which: string): string {
    const row = this.live(key);
    if (which === "any") return "*";
    if (which === "current") return row ? this.tagOf(row) : '"none"';
    if (which === "stale") return this.stale.get(key) ?? '"none"';
    return '"bogus"';
  }

  /** The model's versions for an entity tag. */
  private versions(key: number, tag: string | undefined): "*" | string[] | undefined {
    const row = this.live(key);
    if (tag === "*" || tag === undefined) return tag;
    return row && this.tagOf(row) === tag ? [row.version] : [];
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
