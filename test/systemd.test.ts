// The units in vitess/systemd: systemd takes them, and their order has each vttablet stopped before its mysqld.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { renderSystemd } from "../vitess/topology/systemd.ts";

const files = Object.entries(renderSystemd());
const units = new Map(files.filter(([name]) => /\.(service|target)$/.test(name)));
const SYSTEM_UNITS = "/lib/systemd/system";

/** What a unit says of a name, over all lines that do. */
const valuesOf = (unit: string, name: string) =>
  [...(units.get(unit) ?? "").matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].flatMap(([, values = ""]) =>
    values.split(" "),
  );

/** Whether a unit stops before another: if it is, by whatever way, After that. */
function stopsBefore(unit: string, other: string): boolean {
  const after = valuesOf(unit, "After");
  return after.includes(other) || after.some((each) => units.has(each) && stopsBefore(each, other));
}

test("a vttablet stops before its mysqld, whoever stops that", () => {
  const mysqlds = [...units.keys()].filter((name) => name.includes("-mysqld-"));
  expect(mysqlds.length).toBe(6);
  for (const mysqld of mysqlds) {
    const vttablet = mysqld.replace("-mysqld-", "-vttablet-");
    expect(stopsBefore(vttablet, mysqld)).toBe(true);
    expect(valuesOf(vttablet, "Requires")).toEqual([mysqld]);
  }
});

test("servers stop before vtgates, these and vtorc before tablets, these before vtctld and etcd", () => {
  const vttablets = [...units.keys()].filter((name) => name.includes("-vttablet-"));
  expect(stopsBefore("vitess-kv-server@.service", "vitess-kv-vtgate-1.service")).toBe(true);
  for (const vttablet of vttablets) {
    expect(stopsBefore("vitess-kv-vtgate-2.service", vttablet)).toBe(true);
    expect(stopsBefore("vitess-kv-vtorc.service", vttablet)).toBe(true);
    expect(stopsBefore(vttablet, "vitess-kv-etcd.service")).toBe(true);
  }
});

test("the target starts and stops all of them", () => {
  for (const unit of [...units.keys()].filter((name) => name.endsWith(".service"))) {
    expect(valuesOf(unit, "PartOf")).toEqual(["vitess-kv.target"]);
    expect(valuesOf(unit, "WantedBy")).toEqual(["vitess-kv.target"]);
  }
});

describe.skipIf(!Bun.which("systemd-analyze"))("systemd (where systemd-analyze is on PATH)", () => {
  const root = mkdtempSync(join(tmpdir(), "vitess-kv-systemd-"));
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  beforeAll(() => {
    cpSync(SYSTEM_UNITS, join(root, SYSTEM_UNITS), { recursive: true, verbatimSymlinks: true });
    for (const [name, text] of units) {
      put(`/etc/systemd/system/${name}`, text);
      // It looks whether programs are there, and starts none.
      for (const line of text.match(/^Exec\w+=\S+/gm) ?? []) put(line.split("=")[1] as string, "#!/bin/sh\n", 0o755);
    }
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test("finds nothing wrong with the units", () => {
    const names = [...units.keys()].map((name) => name.replace("@.", "@8787."));
    const analyze = (args: string[]) =>
      spawnSync("systemd-analyze", ["verify", `--root=${root}`, "--man=no", ...args], { encoding: "utf8" });
    // Of what the system has itself it may find something.
    const told = (text: string) => text.split("\n").filter((line) => line.includes("vitess-kv"));
    expect(told(analyze(names).stderr)).toEqual([]);
    put("/etc/systemd/system/vitess-kv-wrong.service", "[Service]\nExecStart=/nowhere\nWrong=1\n");
    expect(told(analyze(["vitess-kv-wrong.service"]).stderr)).not.toEqual([]);
  });
});

test("every program and file that a unit names is one that the book says how to put there", () => {
  const book = readFileSync(join(import.meta.dirname, "../vitess/README.md"), "utf8");
  const named = [...units.values()].flatMap(
    (text) => text.match(/\/(?:usr\/local\/bin|etc\/vitess-kv|opt)\/[\w.-]+/g) ?? [],
  );
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((path) => !book.includes(path.split("/").pop() as string))).toEqual([]);
});
