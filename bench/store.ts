// The store itself as one of the systems that are measured.

import { type EntryKey, entryKey, type NewEntry } from "../src/store/store.ts";
import type { RunningServer } from "../vitess/run/server-process.ts";
import { clusterGroups } from "./cpu.ts";
import { httpLoad } from "./generators.ts";
import type { Rig } from "./rig.ts";
import {
  KEY_NAMES,
  keyGroups,
  linesFile,
  type Operation,
  type System,
  urlLoads,
  VALUE,
  VALUE_BYTES,
} from "./system.ts";

/** What a PUT of the value stores. */
export const ENTRY: NewEntry = {
  value: Buffer.from(VALUE),
  contentType: "application/octet-stream",
  metadata: null,
  expiry: "never",
};

/** A server over the rig's cluster; under load on other keys than KEY_NAMES if they are given. */
export async function storeSystem(
  rig: Rig,
  { url, pid }: RunningServer,
  name: string,
  connections: number,
  keys?: string[],
): Promise<System> {
  const keyUrl = (key: string) => `${url}/v1/kv/bench/${key}`;
  return {
    name,
    connections,
    processes: { server: [pid], ...clusterGroups(await rig.cluster()) },
    versions: {},
    answerBytes: VALUE_BYTES,
    ...urlLoads(rig, connections, `store-${pid}-${name}`.replaceAll(/\W+/g, "-"), { get: keyUrl, put: keyUrl }, keys),
  };
}

/** The same with calls that are batches of `keys` operations. */
export async function batchSystem(
  rig: Rig,
  { url, pid }: RunningServer,
  name: string,
  connections: number,
  keys: number,
): Promise<System> {
  const to = `${url}/v1/kv/bench`;
  const load = (op: Operation) => {
    const operation = (key: string) => ({ op, key, ...(op === "put" && { value: VALUE }) });
    const bodies = keyGroups(keys).map((group) => JSON.stringify({ operations: group.map(operation) }));
    const body = { linesOf: linesFile(rig, `batches-${pid}-${op}.bodies`, bodies) };
    return async (seconds: number) => {
      const rightBytes = await rightAnswerBytes(to, bodies[0] as string);
      const found = await httpLoad({ connections, seconds, method: "POST", url: to, body }, rig.signal);
      // A problem in place of a result has another length, whatever the status of the whole.
      if (found.answerBytes !== rightBytes) {
        throw new Error(`${name}: answers had ${found.answerBytes} bytes on average, and not ${rightBytes}`);
      }
      return found;
    };
  };
  return {
    name,
    connections,
    processes: { server: [pid], ...clusterGroups(await rig.cluster()) },
    versions: {},
    answerBytes: keys * VALUE_BYTES,
    ...{ get: load("get"), put: load("put") },
  };
}

/** Makes the batch and looks at all of its results; every other such batch has an answer of the same length. */
async function rightAnswerBytes(url: string, body: string): Promise<number> {
  const text = await (await fetch(url, { method: "POST", body })).text();
  const { results } = JSON.parse(text) as { results: { status: number; value?: string }[] };
  const areRight = results.every(({ status, value }) => status === 204 || (status === 200 && value === VALUE));
  if (!areRight) throw new Error("a batch had a result that is not right");
  return Buffer.byteLength(text);
}

/** Keys of the first of two shards, in order, as many as a statement has rows: a write to two shards would be refused. */
export function keysOfOneShard(rows: number): EntryKey[] {
  const inFirstShard = (key: Buffer) => (Bun.hash.xxHash64(key) & 0x80n) === 0n;
  const keys = KEY_NAMES.map((name) => entryKey("bench", name)).filter(inFirstShard);
  return keys.slice(0, rows).toSorted(Buffer.compare);
}
