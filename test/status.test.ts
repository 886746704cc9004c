// What `status` says of tablets that vtgate and the process table tell different things about.

import { expect, test } from "bun:test";
import { withoutDeadPrimaries } from "../vitess/run/primaries.ts";

type Role = "primary" | "replica" | "unknown";
const running = { mysqld: 1, vttablet: 2 };
const dead = { mysqld: null, vttablet: null };

/** The roles that are shown of these tablets of one shard. */
function roles(...tablets: [Role, typeof running | { mysqld: number | null; vttablet: number | null }][]): Role[] {
  return withoutDeadPrimaries(tablets.map(([role, pids]) => ({ shard: "-80", role, pids }))).map(({ role }) => role);
}

test("a primary that died is none once another one is elected", () => {
  expect(roles(["primary", dead], ["primary", running], ["replica", running])).toEqual([
    "unknown",
    "primary",
    "replica",
  ]);
});

test.each(["mysqld", "vttablet"])("nor is one whose %s alone died", (process) => {
  expect(roles(["primary", running], ["primary", { ...running, [process]: null }])).toEqual(["primary", "unknown"]);
});

test("until then it stays the primary, beside those of other shards", () => {
  expect(roles(["primary", dead], ["replica", running])).toEqual(["primary", "replica"]);
  const tablets = ["-80", "80-"].map((shard) => ({ shard, role: "primary" as Role, pids: dead }));
  expect(withoutDeadPrimaries(tablets)).toEqual(tablets);
});

test("two that run and both claim to be the primary are both shown", () => {
  expect(roles(["primary", running], ["primary", running])).toEqual(["primary", "primary"]);
});
