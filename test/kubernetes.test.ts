// The manifests in vitess/kubernetes, which no cluster has run: they are what Kubernetes and Vitess's operator take, they
// agree with each other, and they give a server the time that it needs to end.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { renderKubernetes } from "../vitess/topology/kubernetes.ts";
import { hasGo, type KubernetesObject, objectsIn, validatorOf } from "./kubernetes/schemas.ts";

const TELEMETRY = join(import.meta.dirname, "../src/telemetry");
const objects = Object.values(renderKubernetes()).flatMap(objectsIn);
const find = (kind: string, name?: string) =>
  objects.find((each) => each.kind === kind && (name === undefined || each.metadata.name === name)) as KubernetesObject;
const title = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.name}`;
const cluster = find("VitessCluster");
const { spec: pod } = find("Deployment").spec.template;
const [server] = pod.containers;

describe.skipIf(!hasGo)("by the schemas in Go modules (where go is on PATH)", () => {
  test.each(objects.map((each) => [title(each), each] as const))("%s is as it has to be", (_, object) => {
    const validate = validatorOf(object);
    validate(object);
    expect(validate.errors ?? []).toEqual([]);
  });

  test("a field that is misspelled is found in either kind of object", () => {
    const wrong = structuredClone([cluster, find("Deployment")]);
    (wrong[0] as KubernetesObject).spec.keyspaces[0].partitionings[0].equal.shardTemplate.tabletPools[0].replica = 1;
    (wrong[1] as KubernetesObject).spec.template.spec.containers[0].readynessProbe = {};
    for (const object of wrong) expect(validatorOf(object)(object)).toBe(false);
  });
});

test("every object is in the namespace that the first one makes", () => {
  const [namespace, ...others] = objects;
  expect(namespace?.kind).toBe("Namespace");
  for (const each of others) expect(each.metadata.namespace).toBe(namespace?.metadata.name as string);
});

test("each shard has a tablet in each of three zones, and commits are on two of them", () => {
  const zones = cluster.spec.cells.map((cell: { name: string }) => cell.name);
  const [keyspace] = cluster.spec.keyspaces;
  const { tabletPools } = keyspace.partitionings[0].equal.shardTemplate;
  expect(zones.length).toBe(3);
  expect(tabletPools.map(({ cell }: { cell: string }) => cell)).toEqual(zones);
  expect(keyspace.durabilityPolicy).toBe("semi_sync");
});

test("what the promises need is set, and what the operator says itself is left to it", () => {
  const [keyspace] = cluster.spec.keyspaces;
  const [pool] = keyspace.partitionings[0].equal.shardTemplate.tabletPools;
  expect(pool.vttablet.extraFlags).toMatchObject({ "enable-consolidator": "false", "sanitize-log-messages": "true" });
  expect(cluster.spec.cells[0].gateway.extraFlags).toMatchObject({ "retry-count": "0", enable_buffer: "true" });
  expect(pool.mysqld.configOverrides).toContain("relay_log_recovery=OFF\n");
  const names = [pool.vttablet, cluster.spec.cells[0].gateway, keyspace.vitessOrchestrator].flatMap(({ extraFlags }) =>
    Object.keys(extraFlags),
  );
  expect(names.filter((name) => /^(topo-global|port|grpc-port|tablet-path|init-|cell$)/.test(name))).toEqual([]);
});

test("a pod of a server may take as long to end as the server does", () => {
  const environment = Object.fromEntries(
    server.env.map(({ name, value }: { name: string; value?: string }) => [name, value]),
  );
  const { KV_LEAVE_MS, KV_DRAIN_MS, PORT } = readConfig({ ...environment, KV_HOST: "0.0.0.0" });
  const { seconds } = server.lifecycle.preStop.sleep;
  expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(seconds * 1000 + KV_LEAVE_MS + KV_DRAIN_MS);
  expect(server.ports[0].containerPort).toBe(PORT);
});

test("a server is not root, writes nothing, and gets its secrets from a secret", () => {
  expect(pod.securityContext.runAsNonRoot).toBe(true);
  expect(server.securityContext.readOnlyRootFilesystem).toBe(true);
  expect(objects.filter(({ kind }) => kind === "Secret")).toEqual([]);
  const from = server.env.find(({ name }: { name: string }) => name === "DATABASE_URL").valueFrom.secretKeyRef.name;
  expect(pod.volumes[0].secret.secretName).toBe(from);
});

test("the autoscaler asks for a metric that servers have", () => {
  const metrics: { pods?: { metric: { name: string } } }[] = find("HorizontalPodAutoscaler").spec.metrics;
  const names = metrics.flatMap(({ pods }) => (pods ? [pods.metric.name] : []));
  const files = [...new Bun.Glob("*.ts").scanSync(TELEMETRY)].map((file) =>
    readFileSync(join(TELEMETRY, file), "utf8"),
  );
  expect(names.length).toBe(1);
  for (const name of names) expect(files.some((text) => text.includes(`name: "${name}"`))).toBe(true);
});

test("what selects pods selects those of the deployment", () => {
  const { labels } = find("Deployment").spec.template.metadata;
  const name = find("Deployment").metadata.name;
  expect(find("Service", name).spec.selector).toEqual(labels);
  expect(find("PodDisruptionBudget", name).spec.selector.matchLabels).toEqual(labels);
  expect(find("NetworkPolicy", name).spec.podSelector.matchLabels).toEqual(labels);
  for (const { labelSelector } of pod.topologySpreadConstraints) expect(labelSelector.matchLabels).toEqual(labels);
  expect(find("HorizontalPodAutoscaler").spec.scaleTargetRef.name).toBe(name);
});
