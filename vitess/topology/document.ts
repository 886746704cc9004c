// TOPOLOGY.md: every process of the local cluster, for people.

import { DEFAULTS } from "../run/folder.ts";
import { mysqlSettings } from "./mysql.ts";
import { GENERATED, settings } from "./rendered.ts";
import { KEYSPACE, LOOPBACK, type Process, type Topology, topology, VITESS_VERSION } from "./topology.ts";

export function renderDocument(): string {
  const cluster = topology(settings, { dataDir: "DATA", bind: LOOPBACK, hostOf: () => LOOPBACK });
  const { etcd, vtctld, vtorc, vtgates, tablets } = cluster;
  const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
  const ports = (spec: Process) =>
    Object.entries(spec.ports)
      .map(([purpose, port]) => `${port} ${purpose}`)
      .join(", ");
  const flags = (title: string, spec: Process) => [`### ${title}`, "", "```", ...spec.args, "```", ""];
  return [
    "# The local cluster",
    "",
    `<!-- ${GENERATED} -->`,
    "",
    `Vitess ${VITESS_VERSION}, keyspace \`${KEYSPACE}\`, shards ${cluster.shards.map((name) => `\`${name}\``).join(" and ")} with ${DEFAULTS.tablets} tablets each. Everything listens on 127.0.0.1. \`DATA\` is the data folder.`,
    "",
    row(["process", "shard", "ports", "memory, MB"]),
    row(["---", "---", "---", "---"]),
    ...[etcd, vtctld, vtorc, ...vtgates].map((spec) => row([spec.name, "", ports(spec), spec.memoryMb])),
    ...tablets.flatMap(({ mysqld, shard, vttablet, mysqlPort, mysqlMemoryMb }) => [
      row([vttablet.name, `\`${shard}\``, ports(vttablet), vttablet.memoryMb]),
      row([mysqld, `\`${shard}\``, `${mysqlPort} mysql`, mysqlMemoryMb]),
    ]),
    row(["**all**", "", "", totalMemoryMb(cluster)]),
    "",
    "## Settings of every mysqld",
    "",
    "Beside those that mysqlctl writes. The local launcher sizes buffer pools, and redo logs with them, by the machine's memory.",
    "",
    "```",
    ...mysqlSettings(LOOPBACK),
    "```",
    "",
    "## Flags",
    "",
    ...flags("vtgate, the first", vtgates[0] as Process),
    ...flags("vttablet, the first", (tablets[0] as Topology["tablets"][number]).vttablet),
    ...flags("vtorc", vtorc),
    ...flags("vtctld", vtctld),
    ...flags("etcd", etcd),
  ].join("\n");
}

function totalMemoryMb({ etcd, vtctld, vtorc, vtgates, tablets }: Topology): number {
  const servers = [etcd, vtctld, vtorc, ...vtgates, ...tablets.map((tablet) => tablet.vttablet)];
  const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);
  return sum(servers.map((spec) => spec.memoryMb)) + sum(tablets.map((tablet) => tablet.mysqlMemoryMb));
}
