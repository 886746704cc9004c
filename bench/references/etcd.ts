// etcd: one node with its default, durable settings, through its own HTTP gateway.

import { writeFileSync } from "node:fs";
import { findParts } from "../../vitess/install/parts.ts";
import { LOOPBACK } from "../../vitess/topology/topology.ts";
import { httpLoad } from "../generators.ts";
import { versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEY_NAMES, type Operation, putKeys, type System, VALUE, VALUE_BYTES } from "../system.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

export async function startEtcd(rig: Rig, name: string, connections: number): Promise<System> {
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
  const url = (operation: Operation) => `http://${LOOPBACK}:${ports[0]}/v3/kv/${operation === "get" ? "range" : "put"}`;
  const body = (operation: Operation, key: string) =>
    JSON.stringify({ key: base64(key), ...(operation === "put" && { value: base64(VALUE) }) });
  await putKeys((key) => new Request(url("put"), { method: "POST", body: body("put", key) }), rig.signal);
  const load = (operation: Operation) => {
    const lines = rig.file(`etcd-${operation}.bodies`);
    writeFileSync(lines, KEY_NAMES.map((key) => `${body(operation, key)}\n`).join(""));
    return (seconds: number) =>
      httpLoad({ connections, seconds, method: "POST", url: url(operation), body: { linesOf: lines } }, rig.signal);
  };
  return {
    name,
    connections,
    processes: { etcd: [pid] },
    answerBytes: VALUE_BYTES,
    versions: { etcd: versionOf(etcd, /Version: (\S+)/) },
    get: load("get"),
    put: load("put"),
  };
}
