// The topology's own arithmetic, and that what is rendered from it is what is checked in.

import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { renderAll } from "../vitess/topology/render.ts";
import { newSettings, shardNames } from "../vitess/topology/settings.ts";
import { topology } from "../vitess/topology/topology.ts";

const VITESS = join(import.meta.dirname, "../vitess");
const ROOT = join(import.meta.dirname, "..");

test.each(Object.entries(renderAll()))("%s is what the topology renders", (path, text) => {
  expect(readFileSync(join(VITESS, path), "utf8")).toBe(text);
  expect((statSync(join(VITESS, path)).mode & 0o111) > 0).toBe(text.startsWith("#!"));
});

test.each(["cluster", "server"])("what the image of the %s copies is there, and not ignored", (image) => {
  const { services } = parse(renderAll()["compose.yaml"] as string);
  const builds = Object.values<{ build?: { context: string; dockerfile: string } }>(services).flatMap(({ build }) =>
    build ? [build] : [],
  );
  const path = `vitess/containers/${image}.Dockerfile`;
  expect(builds).toContainEqual({ context: "..", dockerfile: path });
  const copied = [...readFileSync(join(ROOT, path), "utf8").matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(
    ([, files = ""]) => files.split(" "),
  );
  const taken = readFileSync(join(ROOT, ".dockerignore"), "utf8").match(/(?<=^!).+$/gm) ?? [];
  expect(copied.length).toBeGreaterThan(2);
  for (const file of copied) {
    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(taken.some((each) => file === each || file.startsWith(`${each}/`))).toBe(true);
  }
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
