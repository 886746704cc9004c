// The topology's own arithmetic, and that what is rendered from it is what is checked in.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { renderCompose, renderDocument } from "../vitess/topology/render.ts";
import { newSettings, shardNames } from "../vitess/topology/settings.ts";
import { topology } from "../vitess/topology/topology.ts";

const checkedIn = (name: string) => readFileSync(join(import.meta.dirname, "../vitess", name), "utf8");

test("compose.yaml and TOPOLOGY.md are what the topology renders", () => {
  expect(checkedIn("compose.yaml")).toBe(renderCompose());
  expect(checkedIn("TOPOLOGY.md")).toBe(renderDocument());
});

test("the files that the image is built from are where it looks for them", () => {
  const { context, dockerfile_inline } = parse(renderCompose()).services.etcd.build;
  const copied = /^COPY (?!--from)(.*) \S+$/m.exec(dockerfile_inline)?.[1]?.split(" ") ?? [];
  expect(copied).toEqual(["go.mod", "go.sum"]);
  for (const file of copied) expect(existsSync(join(import.meta.dirname, "../vitess", context, file))).toBe(true);
});

test.each([
  [1, ["-"]],
  [2, ["-80", "80-"]],
  [4, ["-40", "40-80", "80-c0", "c0-"]],
] as const)("%i shards are named by their key ranges", (count, names) => {
  expect(shardNames(count)).toEqual([...names]);
});

test.each([0, 3, 512, 1.5, Number.NaN])("%p shards are refused", (count) => {
  expect(() => shardNames(count)).toThrow(RangeError);
});

test("every process has ports of its own", () => {
  const cluster = topology(newSettings(8, 3, 15000), { dataDir: "/d", bind: "127.0.0.1", hostOf: () => "127.0.0.1" });
  const servers = [cluster.etcd, cluster.vtctld, cluster.vtorc, ...cluster.vtgates];
  const ports = [
    ...[...servers, ...cluster.tablets.map((tablet) => tablet.vttablet)].flatMap(({ ports }) => Object.values(ports)),
    ...cluster.tablets.map((tablet) => tablet.mysqlPort),
  ];
  expect(new Set(ports).size).toBe(ports.length);
  expect(cluster.tablets.length).toBe(24);
});
