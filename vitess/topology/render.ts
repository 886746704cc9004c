// `npm run render`: writes compose.yaml, TOPOLOGY.md and system.svg, so that containers and documentation say what the
// topology says.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { DEFAULTS } from "../run/folder.ts";
import { applyUntil, UNAPPLIED } from "../run/relay-log.ts";
import { mysqlSettings } from "./mysql.ts";
import { picture } from "./picture.ts";
import { newSettings } from "./settings.ts";
import { KEYSPACE, LOOPBACK, type Process, type Topology, topology, VITESS_VERSION, vtgateUsers } from "./topology.ts";
import vschema from "./vschema.json";

const settings = newSettings(DEFAULTS.shards, DEFAULTS.tablets, DEFAULTS.portBase);
const DATA = "/vt";
const CONFIG = "/etc/vitess-kv";
/** A comment, as YAML and as Markdown. */
const GENERATED = "Rendered from topology.ts by `npm run render`; a test compares them.";

/** The same programs that the launcher installs, in one image for every service. */
const IMAGE = `FROM golang:1.26 AS vitess
WORKDIR /src
COPY go.mod go.sum ./
RUN GOBIN=/out GOFLAGS=-mod=readonly CGO_ENABLED=0 go install -trimpath -ldflags="-s -w" tool
FROM debian:sid-slim
RUN apt-get update && apt-get install --yes --no-install-recommends mysql-server-core mysql-client-core etcd-server && rm -rf /var/lib/apt/lists/*
COPY --from=vitess /out/ /usr/local/bin/
RUN useradd --create-home vitess && mkdir ${DATA} && chown vitess ${DATA}
USER vitess
`;

export function renderCompose(): string {
  const cluster = topology(settings, { dataDir: DATA, bind: "0.0.0.0", hostOf: (name) => name });
  const { etcd, vtctld, vtorc, vtgates, tablets } = cluster;
  const base = {
    image: `vitess-kv-cluster:${VITESS_VERSION}`,
    volumes: [`data:${DATA}`],
    environment: { VTDATAROOT: DATA, EXTRA_MY_CNF: `${CONFIG}/extra.cnf` },
    // A server that starts before what it needs ends, and is started again until that is there.
    restart: "unless-stopped",
  };
  const service = (spec: Process, command: string[] = [spec.program, ...spec.args]) => ({
    ...base,
    hostname: spec.name,
    command,
    mem_limit: `${spec.memoryMb}m`,
  });
  const client = ["vtctldclient", `--server=${vtctld.name}:${vtctld.ports.grpc}`].join(" ");
  const setup = [
    `until ${client} GetKeyspaces; do sleep 1; done`,
    ...cluster.setup.map(({ unless, call }) => `${client} ${unless.join(" ")} || ${client} ${call.join(" ")}`),
    `${client} ApplyVSchema --vschema='${JSON.stringify(vschema)}' ${KEYSPACE}`,
  ].join("\n");
  const document = {
    name: "vitess-kv",
    services: {
      etcd: { ...service(etcd), build: { context: "install", dockerfile_inline: IMAGE } },
      vtctld: service(vtctld),
      setup: { ...base, restart: "on-failure", command: ["sh", "-ec", setup] },
      ...Object.fromEntries(
        tablets.map((tablet) => {
          const mysqlctl = `mysqlctl ${tablet.mysqlctl.join(" ")}`;
          const mysql = `mysql --socket=${tablet.mysqlSocket} --user=vt_dba`;
          const apply = [
            `gtids=$$(${mysql} --raw --skip-column-names --execute="${UNAPPLIED}")`,
            `[ -z "$$gtids" ] || ${mysql} --execute="${applyUntil("$$gtids")}; SELECT WAIT_FOR_EXECUTED_GTID_SET('$$gtids')"`,
          ].join("; ");
          const start = [
            `if [ -e ${tablet.dir}/initialized ]; then ${mysqlctl} start; ${apply}; else rm -rf ${tablet.dir}; ${mysqlctl} init; touch ${tablet.dir}/initialized; fi`,
            `${tablet.vttablet.program} ${tablet.vttablet.args.join(" ")} & tablet=$$!`,
            // Compose turns $$ into $. First the tablet, then its mysqld, as the launcher does.
            `trap 'kill $$tablet; wait $$tablet; ${mysqlctl} shutdown; exit 0' TERM INT`,
            "wait $$tablet",
          ].join("\n");
          return [
            tablet.vttablet.name,
            {
              ...service(tablet.vttablet, ["sh", "-ec", start]),
              mem_limit: `${tablet.vttablet.memoryMb + tablet.mysqlMemoryMb}m`,
              configs: [{ source: "extra.cnf", target: `${CONFIG}/extra.cnf` }],
              stop_grace_period: "60s",
            },
          ];
        }),
      ),
      vtorc: service(vtorc),
      ...Object.fromEntries(
        vtgates.map((vtgate) => [
          vtgate.name,
          {
            ...service(vtgate),
            configs: [{ source: "vtgate-users.json", target: `${DATA}/vtgate-users.json` }],
            ports: [`127.0.0.1:${vtgate.ports.mysql}:${vtgate.ports.mysql}`],
          },
        ]),
      ),
    },
    configs: {
      "extra.cnf": { content: `${["[mysqld]", ...mysqlSettings("0.0.0.0")].join("\n")}\n` },
      // Compose puts the variable's value in its place.
      "vtgate-users.json": { content: vtgateUsers("$" + "{KV_PASSWORD:?choose a password}") },
    },
    volumes: { data: {} },
  };
  return `# ${GENERATED}\n# KV_PASSWORD=… docker compose --file vitess/compose.yaml up --build\n${stringify(document, { lineWidth: 0 })}`;
}

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

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, "../compose.yaml"), renderCompose());
  writeFileSync(join(import.meta.dirname, "../TOPOLOGY.md"), renderDocument());
  writeFileSync(join(import.meta.dirname, "../system.svg"), picture());
}
