// The store itself as one of the systems that are measured.

import { type EntryKey, entryKey, type NewEntry } from "../src/store/store.ts";
import type { RunningServer } from "../vitess/run/server-process.ts";
import { clusterGroups } from "./cpu.ts";
import type { Rig } from "./rig.ts";
import { KEY_NAMES, type System, urlLoads, VALUE, VALUE_BYTES } from "./system.ts";

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

/** Keys of the first of two shards, in order, as many as a statement has rows: a write to two shards would be refused. */
export function keysOfOneShard(rows: number): EntryKey[] {
  const inFirstShard = (key: Buffer) => (Bun.hash.xxHash64(key) & 0x80n) === 0n;
  const keys = KEY_NAMES.map((name) => entryKey("bench", name)).filter(inFirstShard);
  return keys.slice(0, rows).toSorted(Buffer.compare);
}
