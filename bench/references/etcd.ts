// etcd: one node with its default, durable settings, through its own HTTP gateway.

import { findParts } from "../../vitess/install/parts.ts";
import { LOOPBACK } from "../../vitess/topology/topology.ts";
import { httpLoad } from "../generators.ts";
import { versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { keyGroups, linesFile, type Operation, putKeys, type System, VALUE, VALUE_BYTES } from "../system.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Each of its calls is for `keys` keys, which are a transaction if they are several. */
export async function startEtcd(rig: Rig, name: string, connections: number, keys = 1): Promise<System> {
  const { etcd } = (await findParts(rig.signal)).programs;
  const { pid, ports } = await rig.startReference("etcd", 2, ([client, peer], dir) => ({
    file: etcd,
    args: [
      "--name=etcd",
      `--data-dir=${dir}`,
      `--listen-client-urls=http://${LOOPBACK}:${client}`,
      `--advertise-client-urls=http://${LOOPBACK}:${client}`,
      `--listen-peer-urls=http://${LOOPBACK}:${peer}`,
      `--initial-advertise-peer-urls=http://${LOOPBACK}:${peer}`,
      `--initial-cluster=etcd=http://${LOOPBACK}:${peer}`,
      "--log-level=warn",
    ],
  }));
  const words = { get: "range", put: "put" };
  const url = (word: string) => `http://${LOOPBACK}:${ports[0]}/v3/kv/${word}`;
  const one = (operation: Operation, key: string) => ({
    key: base64(key),
    ...(operation === "put" && { value: base64(VALUE) }),
  });
  const request = (operation: Operation, group: string[]) =>
    keys === 1
      ? one(operation, group[0] as string)
      : { success: group.map((key) => ({ [`request_${words[operation]}`]: one(operation, key) })) };
  const put = (key: string) => new Request(url("put"), { method: "POST", body: JSON.stringify(one("put", key)) });
  await putKeys(put, rig.signal);
  const load = (operation: Operation) => {
    const bodies = keyGroups(keys).map((group) => JSON.stringify(request(operation, group)));
    const body = { linesOf: linesFile(rig, `etcd-${operation}.bodies`, bodies) };
    const to = url(keys === 1 ? words[operation] : "txn");
    return (seconds: number) => httpLoad({ connections, seconds, method: "POST", url: to, body }, rig.signal);
  };
  return {
    name,
    connections,
    processes: { etcd: [pid] },
    answerBytes: keys * VALUE_BYTES,
    versions: { etcd: versionOf(etcd, /Version: (\S+)/) },
    get: load("get"),
    put: load("put"),
  };
}
