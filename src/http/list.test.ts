// A deletion by prefix in which something fails: what was done is told, and the rest is not forgotten.

import { expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../app.ts";
import { StoreError } from "../store/error.ts";
import { ModelStore } from "../store/model.ts";
import { entryKey } from "../store/store.ts";

class Failing extends ModelStore {
  /** Keys that can't be deleted now. */
  readonly stuck = new Set<string>();

  override async delete(...args: Parameters<ModelStore["delete"]>) {
    if (this.stuck.has(args[0].toString())) throw new StoreError("unavailable", "as the test says");
    return super.delete(...args);
  }
}

const store = new Failing();
const app = createApp(store, {
  ...{ maxValueBytes: 1024, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
  ...{ isDraining: () => false, isFull: () => false },
});
const drop = async (query: string) => {
  const answer = await app.fetch(new Request(`http://kv/v1/kv/ns?${query}`, { method: "DELETE" }));
  return { status: answer.status, ...((await answer.json()) as { deleted?: number; cursor?: string; code?: string }) };
};

test("is gone on with", async () => {
  const content = { value: Buffer.of(1), contentType: "a/b", metadata: null, expiry: "never" } as const;
  for (const key of ["a1", "a2", "a3"]) await store.put(entryKey("ns", key), content);
  store.stuck.add("ns/a2");
  const first = await drop("prefix=a");
  expect(first).toEqual({ status: 200, deleted: 2, cursor: expect.any(String) });
  expect(await drop(`prefix=a&cursor=${first.cursor}`)).toMatchObject({ status: 503, code: "unavailable" });
  store.stuck.clear();
  expect(await drop(`prefix=a&cursor=${first.cursor}`)).toMatchObject({ status: 200, deleted: 1, cursor: null });
});
