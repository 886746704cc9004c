// Units of systemd for the cluster on one machine and for servers, so that everything starts and stops in the right order.
//
// What is After another unit starts behind it and stops before it. So servers and vtgates end first; then vtorc, which
// would else elect other primaries; then every vttablet before its mysqld, as DESIGN.md says why; then vtctld and etcd.

import { GENERATED, settings } from "./rendered.ts";
import { renderExtraCnf, setupScript } from "./scripts.ts";
import { LOOPBACK, type Process, type Tablet, topology } from "./topology.ts";

/** Where the units expect what they run and read; README.md says how to put it there. */
const DATA = "/var/lib/vitess-kv";
const CONFIG = "/etc/vitess-kv";
const BIN = "/usr/local/bin";
const SERVER_DIR = "/opt/vitess-kv";
const TARGET = "vitess-kv.target";
/** A mysqld that stops may have much to write, and one that starts much to read. */
const MYSQLD_STOP_SECONDS = 120;
const MYSQLD_START_SECONDS = 600;
/** Longer than KV_LEAVE_MS and KV_DRAIN_MS together. */
const SERVER_STOP_SECONDS = 40;

const unit = (name: string) => `vitess-kv-${name}.service`;

type Section = [name: string, ...lines: string[]];

function file(...sections: Section[]): string {
  return [`# ${GENERATED}`, ...sections.flatMap(([name, ...lines]) => ["", `[${name}]`, ...lines]), ""].join("\n");
}

/** What all units of the cluster's processes have in common. */
const SERVICE = [
  "User=vitess",
  "Group=vitess",
  "StateDirectory=vitess-kv",
  "StateDirectoryMode=0750",
  `Environment=VTDATAROOT=${DATA} EXTRA_MY_CNF=${CONFIG}/extra.cnf`,
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "LimitNOFILE=65536",
];
const RESTART = ["Restart=always", "RestartSec=2"];

function service(description: string, behind: string[], lines: string[], also: string[] = []): string {
  return file(
    [
      "Unit",
      `Description=${description}`,
      `PartOf=${TARGET}`,
      `After=${["network.target", ...behind].join(" ")}`,
      ...also,
      // What it needs may be away for long.
      "StartLimitIntervalSec=0",
    ],
    ["Service", ...lines],
    ["Install", `WantedBy=${TARGET}`],
  );
}

/** Every unit and the script that makes the keyspace, by file name. */
export function renderSystemd(): Record<string, string> {
  const cluster = topology(settings, { dataDir: DATA, bind: LOOPBACK, hostOf: () => LOOPBACK });
  const { etcd, vtctld, vtorc, vtgates, tablets } = cluster;
  const start = ({ program, args }: Process) => `ExecStart=${[`${BIN}/${program}`, ...args].join(" \\\n  ")}`;
  const vttablets = tablets.map(({ vttablet }) => unit(vttablet.name));
  const run = (spec: Process, behind: string[], type = "exec") =>
    service(`${spec.name} of vitess-kv`, behind, [`Type=${type}`, start(spec), ...SERVICE, ...RESTART]);

  const mysqld = ({ uid, dir, mysqlctl, mysqld }: Tablet) => {
    const command = [`${BIN}/mysqlctl`, ...mysqlctl].join(" ");
    return service(
      `${mysqld} of vitess-kv, of tablet ${uid}`,
      [],
      [
        "Type=forking",
        `PIDFile=${dir}/mysql.pid`,
        `ExecStart=${BIN}/start-mysqld ${dir} ${command}`,
        `ExecStop=${command} shutdown`,
        ...SERVICE,
        ...RESTART,
        `TimeoutStartSec=${MYSQLD_START_SECONDS}`,
        `TimeoutStopSec=${MYSQLD_STOP_SECONDS}`,
      ],
    );
  };
  const vttablet = ({ mysqld, vttablet }: Tablet) => {
    const lines = ["Type=exec", start(vttablet), ...SERVICE, ...RESTART];
    // Whoever stops the mysqld stops this first.
    const needs = `Requires=${unit(mysqld)}`;
    return service(`${vttablet.name} of vitess-kv`, [unit(mysqld), unit("setup")], lines, [needs]);
  };

  return {
    [TARGET]: file(
      ["Unit", "Description=vitess-kv: the cluster and the servers of this machine"],
      ["Install", "WantedBy=multi-user.target"],
    ),
    [unit(etcd.name)]: run(etcd, [], "notify"),
    [unit(vtctld.name)]: run(vtctld, [unit(etcd.name)]),
    [unit("setup")]: service(
      "The keyspace of vitess-kv",
      [unit(vtctld.name)],
      [
        "Type=oneshot",
        "RemainAfterExit=yes",
        `ExecStart=${BIN}/setup-vitess-kv`,
        "User=vitess",
        "Group=vitess",
        "Restart=on-failure",
        "RestartSec=2",
      ],
    ),
    "extra.cnf": renderExtraCnf(LOOPBACK),
    "setup-vitess-kv": `#!/bin/sh\n# ${GENERATED}\n# Makes the cell and the keyspace, where they are not there.\nset -e\n${setupScript(cluster, LOOPBACK)}\n`,
    ...Object.fromEntries(
      tablets.flatMap((tablet) => [
        [unit(tablet.mysqld), mysqld(tablet)],
        [unit(tablet.vttablet.name), vttablet(tablet)],
      ]),
    ),
    [unit(vtorc.name)]: run(vtorc, vttablets),
    ...Object.fromEntries(
      vtgates.map((vtgate) => [
        unit(vtgate.name),
        service(
          `${vtgate.name} of vitess-kv`,
          [unit(vtorc.name)],
          [
            "Type=exec",
            `EnvironmentFile=${CONFIG}/vtgate.env`,
            `ExecStart=${[`${BIN}/run-vtgate`, ...vtgate.args].join(" \\\n  ")}`,
            ...SERVICE,
            ...RESTART,
          ],
        ),
      ]),
    ),
    // One for each port: `vitess-kv-server@8787`.
    [unit("server@")]: service(
      "A server of vitess-kv, on port %i",
      vtgates.map(({ name }) => unit(name)),
      [
        "Type=exec",
        `WorkingDirectory=${SERVER_DIR}`,
        `EnvironmentFile=${CONFIG}/server.env`,
        "Environment=NODE_ENV=production PORT=%i",
        `ExecStart=${BIN}/bun src/server.ts`,
        // The first process tells its workers.
        "KillMode=mixed",
        `TimeoutStopSec=${SERVER_STOP_SECONDS}`,
        ...RESTART,
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateDevices=yes",
        "CapabilityBoundingSet=",
        "LimitNOFILE=65536",
      ],
    ),
  };
}
