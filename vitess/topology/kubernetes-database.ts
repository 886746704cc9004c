// The database in Kubernetes: a VitessCluster, of which Vitess's operator makes a cluster with the topology's settings, its
// VSchema, and who may reach it.

import {
  CLUSTER,
  DATABASE_SECRET,
  GRPC_PORT,
  MYSQL_PORT,
  metadata,
  NAMESPACE,
  VTCTLD_SERVICE,
  VTGATE_SERVICE,
  vitessPods,
} from "./kubernetes-names.ts";
import { mysqlSettings } from "./mysql.ts";
import { settings } from "./rendered.ts";
import { KEYSPACE, type Process, topology, VITESS_VERSION } from "./topology.ts";
import vschema from "./vschema.json";

/** A shard has a tablet in each, so that it survives the loss of one; the names are those that nodes are labelled with. */
const ZONES = ["zone1", "zone2", "zone3"];
const SHARDS = 2;
const VTGATES_PER_ZONE = 2;
const VOLUME = "100Gi";
const BACKUP_VOLUME = "500Gi";
const MYSQLD_GB = 8;
/** Of a mysqld's memory, its buffer pool. */
const POOL_SHARE = 0.7;
const LITE = `vitess/lite:v${VITESS_VERSION}`;

const VSCHEMA = "vitess-kv-vschema";
const VSCHEMA_LABELS = { app: VSCHEMA };

/** Flags that the operator gives each process itself, because they follow from where it runs. */
const OPERATORS_OWN =
  /^--(topo-|bind-address|port|grpc-bind-address|grpc-port|cell|cells-to-watch|mysql-|backup-storage|file-backup|tablet-path|tablet-hostname|init-|service-map|disk-write-dir)/;
/** Those for which it has a default under the old spelling: under the new one the default would come after, and win. */
const OLD_SPELLING =
  /^(enable-buffer|buffer-max-failover-duration|buffer-size|grpc-max-message-size|health-check-interval|tablet-types-to-wait)$/;

/** A process's flags as the operator takes them. */
function extraFlags({ args }: Process, more: Record<string, string> = {}): Record<string, string> {
  const ours = args.filter((arg) => !OPERATORS_OWN.test(arg));
  const pairs = ours.map((arg): [string, string] => {
    const [, name = "", value = "true"] = /^--([^=]+)(?:=(.*))?$/.exec(arg) ?? [];
    return [OLD_SPELLING.test(name) ? name.replaceAll("-", "_") : name, value];
  });
  return { ...Object.fromEntries(pairs), ...more };
}

const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { memory } });

export function renderDatabase(): object[] {
  const { vtgates, vtorc, tablets, vtctld } = topology(settings, { dataDir: "/vt", bind: "", hostOf: () => "" });
  const [vtgate, tablet] = [vtgates[0] as Process, tablets[0]?.vttablet as Process];
  const poolMb = Math.round((MYSQLD_GB * 1024 * POOL_SHARE) / 128) * 128;
  // It listens on its pod's address, which only network policies guard.
  const mysqld = mysqlSettings("", poolMb).filter((line) => !line.startsWith("bind-address"));
  const secret = (key: string) => ({ name: DATABASE_SECRET, key });
  const backups = "vitess-kv-backups";

  const cluster = {
    apiVersion: "planetscale.com/v2",
    kind: "VitessCluster",
    metadata: metadata(CLUSTER),
    spec: {
      images: {
        vtctld: LITE,
        vtgate: LITE,
        vttablet: LITE,
        vtbackup: LITE,
        vtorc: LITE,
        mysqld: { mysql80Compatible: LITE },
        mysqldExporter: "prom/mysqld-exporter:v0.14.0",
      },
      backup: {
        engine: "builtin",
        locations: [{ volume: { persistentVolumeClaim: { claimName: backups } } }],
      },
      globalLockserver: {
        etcd: {
          createPDB: true,
          resources: resources("250m", "1Gi"),
          dataVolumeClaimTemplate: claim("10Gi"),
        },
      },
      cells: ZONES.map((zone) => ({
        name: zone,
        zone,
        gateway: {
          replicas: VTGATES_PER_ZONE,
          authentication: { static: { secret: secret("users.json") } },
          extraFlags: extraFlags(vtgate),
          resources: resources("1", "2Gi"),
        },
      })),
      vitessDashboard: {
        cells: ZONES,
        replicas: 1,
        extraFlags: extraFlags(vtctld, { "security-policy": "read-only" }),
        resources: resources("100m", "256Mi"),
      },
      keyspaces: [
        {
          name: KEYSPACE,
          durabilityPolicy: "semi_sync",
          turndownPolicy: "RequireIdle",
          vitessOrchestrator: { extraFlags: extraFlags(vtorc), resources: resources("100m", "256Mi") },
          partitionings: [
            {
              equal: {
                parts: SHARDS,
                shardTemplate: {
                  databaseInitScriptSecret: secret("init_db.sql"),
                  tabletPools: ZONES.map((cell) => ({
                    cell,
                    type: "replica",
                    replicas: 1,
                    vttablet: {
                      // Where it looks whether the disk takes writes: the volume, which mysqld is on too.
                      extraFlags: extraFlags(tablet, { "disk-write-dir": "/vt/vtdataroot" }),
                      resources: resources("1", "1Gi"),
                    },
                    mysqld: {
                      configOverrides: `${mysqld.join("\n")}\n`,
                      resources: resources("2", `${MYSQLD_GB}Gi`),
                    },
                    dataVolumeClaimTemplate: claim(VOLUME),
                  })),
                },
              },
            },
          ],
        },
      ],
      // Nothing is restarted by a change of this file before an operator releases it, one pod after the other.
      updateStrategy: { type: "External" },
    },
  };

  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: metadata(backups),
      spec: { ...claim(BACKUP_VOLUME), accessModes: ["ReadWriteMany"] },
    },
    cluster,
    service(VTGATE_SERVICE, "vtgate", "mysql", MYSQL_PORT),
    service(VTCTLD_SERVICE, "vtctld", "grpc", GRPC_PORT),
    applyVSchema(),
    ...policies(),
  ];
}

/** The operator makes services too, with a part of a hash in their names. One of the same zone is preferred. */
const service = (name: string, component: string, port: string, number: number) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadata(name),
  spec: {
    selector: vitessPods(component),
    ports: [{ name: port, port: number, targetPort: port }],
    trafficDistribution: "PreferClose",
  },
});

const claim = (storage: string) => ({ accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } });

/** A VitessCluster holds no VSchema, so a job applies it; it may run again. */
function applyVSchema(): object {
  const client = `vtctldclient --server=${VTCTLD_SERVICE}:${GRPC_PORT}`;
  const command = [
    `until ${client} GetKeyspace ${KEYSPACE}; do sleep 2; done`,
    `${client} ApplyVSchema --vschema='${JSON.stringify(vschema)}' ${KEYSPACE}`,
  ];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: metadata(VSCHEMA),
    spec: {
      backoffLimit: 20,
      template: {
        metadata: { labels: VSCHEMA_LABELS },
        spec: {
          restartPolicy: "OnFailure",
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name: "vschema",
              image: LITE,
              command: ["sh", "-ec", command.join("\n")],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              resources: resources("50m", "128Mi"),
            },
          ],
        },
      },
    },
  };
}

/** Whoever reaches a vttablet or etcd needs no password: only the cluster itself does, and the operator. */
function policies(): object[] {
  const policy = (name: string, spec: object) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadata(name),
    spec: { policyTypes: ["Ingress"], ...spec },
  });
  const anyNamespace = { namespaceSelector: {} };
  return [
    policy("vitess-cluster", {
      podSelector: { matchLabels: vitessPods() },
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: vitessPods() } },
            { podSelector: { matchLabels: VSCHEMA_LABELS } },
            { ...anyNamespace, podSelector: { matchLabels: { app: "vitess-operator" } } },
          ],
        },
      ],
    }),
    policy("vitess-vtgate", {
      podSelector: { matchLabels: vitessPods("vtgate") },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: "vitess-kv-server" } } }],
          ports: [{ port: MYSQL_PORT }],
        },
      ],
    }),
  ];
}
