// compose.yaml: the whole store in containers, the cluster and two servers behind HAProxy.

import { stringify } from "yaml";
import { version } from "../../package.json";
import { GENERATED, settings } from "./rendered.ts";
import { setupScript } from "./scripts.ts";
import { KEYSPACE, type Process, SQL_USER, type Tablet, topology, VITESS_VERSION, type Vtgate } from "./topology.ts";

const DATA = "/vt";
const SERVERS = ["server-a", "server-b"];
/** Every server's, and the port of the store as clients see it. */
const PORT = 8787;
const SERVER_MB = 1024;
const BALANCER_MB = 256;
/** Longer than KV_LEAVE_MS and KV_DRAIN_MS together; a tablet's is for mysqld to write what it holds. */
const SERVER_GRACE = "40s";
const TABLET_GRACE = "60s";

/** A variable of whoever calls compose, who is told when it is missing. */
const required = (name: string, what: string) => `\${${name}:?${what}}`;
const password = required("KV_PASSWORD", "choose a password of letters and digits");

export function renderCompose(): string {
  const cluster = topology(settings, { dataDir: DATA, bind: "0.0.0.0", hostOf: (name) => name });
  const { etcd, vtctld, vtorc, vtgates, tablets } = cluster;
  const build = (kind: string) => ({ context: "..", dockerfile: `vitess/containers/${kind}.Dockerfile` });
  // A process that starts before what it needs ends, and is started again until that is there.
  const base = { image: `vitess-kv-cluster:${VITESS_VERSION}`, restart: "unless-stopped" };
  const service = (spec: Process, command: string[] = [spec.program, ...spec.args]) => ({
    ...base,
    hostname: spec.name,
    command,
    mem_limit: `${spec.memoryMb}m`,
  });
  const tabletService = ({ dir, mysqlctl, mysqlMemoryMb, vttablet }: Tablet) => ({
    ...service(vttablet, ["run-tablet", dir, ...mysqlctl, "--", ...vttablet.args]),
    volumes: [`${vttablet.name}:${DATA}`, `backups:${DATA}/backups`],
    mem_limit: `${vttablet.memoryMb + mysqlMemoryMb}m`,
    stop_grace_period: TABLET_GRACE,
  });
  const vtgateService = (vtgate: Vtgate) => ({
    ...service(vtgate, ["run-vtgate", ...vtgate.args]),
    environment: { KV_PASSWORD: password },
  });

  const urls = vtgates.map(({ name, ports }) => `mysql://${SQL_USER}:${password}@${name}:${ports.mysql}/${KEYSPACE}`);
  const server = {
    image: `vitess-kv-server:${version}`,
    restart: "unless-stopped",
    environment: {
      DATABASE_URL: urls.join(","),
      KV_TOKENS: required("KV_TOKENS", "put the entries of tokens here, which npm run token makes"),
      // Longer than two of the balancer's checks.
      KV_LEAVE_MS: "2000",
    },
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges"],
    mem_limit: `${SERVER_MB}m`,
    stop_grace_period: SERVER_GRACE,
  };
  const [a, b] = SERVERS;
  const document = {
    name: "vitess-kv",
    services: {
      etcd: { ...service(etcd), build: build("cluster"), volumes: [`etcd:${DATA}`] },
      vtctld: { ...service(vtctld), volumes: [`backups:${DATA}/backups`] },
      setup: { ...base, restart: "on-failure", command: ["sh", "-ec", setupScript(cluster, vtctld.name)] },
      ...Object.fromEntries(tablets.map((tablet) => [tablet.vttablet.name, tabletService(tablet)])),
      vtorc: service(vtorc),
      ...Object.fromEntries(vtgates.map((vtgate) => [vtgate.name, vtgateService(vtgate)])),
      ...Object.fromEntries(
        SERVERS.map((name, i) => [name, { ...server, ...(i === 0 && { build: build("server") }), hostname: name }]),
      ),
      balancer: {
        image: "docker.io/library/haproxy:3.2",
        restart: "unless-stopped",
        volumes: ["./balancers/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro"],
        environment: { KV_BALANCER: `:${PORT}`, KV_SERVER_A: `${a}:${PORT}`, KV_SERVER_B: `${b}:${PORT}` },
        ports: [`127.0.0.1:\${KV_PORT:-${PORT}}:${PORT}`],
        mem_limit: `${BALANCER_MB}m`,
      },
    },
    volumes: Object.fromEntries(
      ["etcd", "backups", ...tablets.map(({ vttablet }) => vttablet.name)].map((name) => [name, {}]),
    ),
  };
  return [
    `# ${GENERATED}`,
    "# KV_PASSWORD=… KV_TOKENS=… docker compose --file vitess/compose.yaml up --build",
    stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }),
  ].join("\n");
}
