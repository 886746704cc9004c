// The servers in Kubernetes: spread over three zones, as many as the load needs, and replaced without a failed call.

import { version } from "../../package.json";
import { MYSQL_PORT, metadata, SERVER_SECRET, vitessPods } from "./kubernetes-names.ts";

const NAME = "vitess-kv-server";
const LABELS = { app: NAME };
const PORT = 8787;
const ZONES = 3;
/** One in each zone at least. */
const REPLICAS = { minReplicas: ZONES, maxReplicas: 30 };
/** Until every node has heard that a pod leaves, which it is told of at the same time as the pod. */
const PRE_STOP_SECONDS = 5;
const LEAVE_MS = 1_000;
const DRAIN_MS = 30_000;
/** For the end itself. */
const SLACK_SECONDS = 5;
const TOKENS_DIR = "/etc/vitess-kv";
/** Of each server, on average: a tenth of those that it lets wait. */
const CALLS_IN_FLIGHT = 2_000;

export function renderServers(): object[] {
  const spread = (topologyKey: string, whenUnsatisfiable: string) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector: { matchLabels: LABELS },
  });
  const probe = (path: string, periodSeconds: number, failureThreshold: number) => ({
    httpGet: { path, port: "http" },
    periodSeconds,
    failureThreshold,
    timeoutSeconds: 3,
  });
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(NAME, { labels: LABELS }),
    // How many there are is for the autoscaler to say.
    spec: {
      selector: { matchLabels: LABELS },
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: LABELS },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: PRE_STOP_SECONDS + (LEAVE_MS + DRAIN_MS) / 1000 + SLACK_SECONDS,
          topologySpreadConstraints: [
            spread("topology.kubernetes.io/zone", "DoNotSchedule"),
            spread("kubernetes.io/hostname", "ScheduleAnyway"),
          ],
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name: "server",
              image: `vitess-kv-server:${version}`,
              ports: [{ name: "http", containerPort: PORT }],
              env: [
                { name: "DATABASE_URL", valueFrom: { secretKeyRef: { name: SERVER_SECRET, key: "DATABASE_URL" } } },
                { name: "KV_TOKENS_FILE", value: `${TOKENS_DIR}/tokens` },
                { name: "KV_LEAVE_MS", value: String(LEAVE_MS) },
                { name: "KV_DRAIN_MS", value: String(DRAIN_MS) },
              ],
              // It brings the schema up to date before it listens.
              startupProbe: probe("/healthz", 2, 150),
              livenessProbe: probe("/healthz", 10, 3),
              readinessProbe: probe("/readyz", 2, 2),
              lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
              resources: { requests: { cpu: "1", memory: "512Mi" }, limits: { memory: "1Gi" } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
              },
              // A directory and not one file of it: only so a changed secret gets to servers that run.
              volumeMounts: [{ name: "tokens", mountPath: TOKENS_DIR, readOnly: true }],
            },
          ],
          volumes: [
            { name: "tokens", secret: { secretName: SERVER_SECRET, items: [{ key: "tokens", path: "tokens" }] } },
          ],
        },
      },
    },
  };
  return [
    deployment,
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(NAME),
      spec: { selector: LABELS, ports: [{ name: "http", port: 80, targetPort: "http" }] },
    },
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: metadata(NAME),
      spec: { maxUnavailable: 1, selector: { matchLabels: LABELS } },
    },
    autoscaler(),
    networkPolicy(),
  ];
}

function autoscaler(): object {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: metadata(NAME),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: NAME },
      ...REPLICAS,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
        {
          type: "Pods",
          pods: {
            metric: { name: "kv_http_requests_in_flight" },
            target: { type: "AverageValue", averageValue: String(CALLS_IN_FLIGHT) },
          },
        },
      ],
      // A server that has gone is missed at the next peak; one too many costs little.
      behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
    },
  };
}

/** Callers are those whose namespace says so; a server itself asks vtgates, and the names of hosts. */
function networkPolicy(): object {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadata(NAME),
    spec: {
      podSelector: { matchLabels: LABELS },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: [{ namespaceSelector: { matchLabels: { "vitess-kv/callers": "true" } } }], ports: [{ port: "http" }] },
      ],
      egress: [
        { to: [{ podSelector: { matchLabels: vitessPods("vtgate") } }], ports: [{ port: MYSQL_PORT }] },
        { ports: [53].flatMap((port) => ["UDP", "TCP"].map((protocol) => ({ port, protocol }))) },
      ],
    },
  };
}
