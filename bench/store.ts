// The store itself as one of the systems that are measured.

import type { NewEntry } from "../src/store/store.ts";
import type { RunningServer } from "../test/server.ts";
import { clusterGroups } from "./cpu.ts";
import type { Rig } from "./rig.ts";
import { fill, type System, urlLoads, VALUE, VALUE_BYTES } from "./system.ts";

/** What a PUT of the value stores. */
export const ENTRY: NewEntry = {
  value: Buffer.from(VALUE),
  contentType: "application/octet-stream",
  metadata: null,
  expiry: "never",
};

const urlOf = (url: string) => (key: string) => `${url}/v1/kv/bench/${key}`;

/** Puts all keys, through one of the servers for all. */
export async function fillStore(rig: Rig, { url }: RunningServer) {
  const keyUrl = urlOf(url);
  await fill(
    rig,
    (key) => new Request(keyUrl(key), { method: "PUT", body: VALUE }),
    (key) => new Request(keyUrl(key)),
  );
}

/** A server over the rig's cluster; under load on other keys than KEY_NAMES if they are given. */
export async function storeSystem(
  rig: Rig,
  { url, pid }: RunningServer,
  name: string,
  connections: number,
  keys?: string[],
): Promise<System> {
  const keyUrl = urlOf(url);
  return {
    name,
    connections,
    processes: { server: [pid], ...clusterGroups(await rig.cluster()) },
    versions: {},
    answerBytes: VALUE_BYTES,
    ...urlLoads(rig, connections, `store-${pid}-${name}`.replaceAll(/\W+/g, "-"), { get: keyUrl, put: keyUrl }, keys),
  };
}
