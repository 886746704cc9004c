// `npm run cluster -- up | down | status | reshard | …`: the cluster's command line.

import { resolve } from "node:path";
import { defineCommand, runMain } from "citty";
import { directStore } from "../src/batching/direct.ts";
import { interruption } from "../src/signals.ts";
import { readSweepStatus } from "../src/sweep/status.ts";
import { addTablet } from "./operate/add-tablet.ts";
import { backup } from "./operate/backup.ts";
import { rebuild } from "./operate/rebuild.ts";
import { removeTablet } from "./operate/remove-tablet.ts";
import { reparent } from "./operate/reparent.ts";
import { reshard } from "./operate/reshard.ts";
import { restore } from "./operate/restore.ts";
import { clusterStatus, defaultDataDir, down, reset, up } from "./run/cluster.ts";
import { type ClusterOptions, DEFAULTS } from "./run/folder.ts";
import { isWhole, renderStatus } from "./run/status.ts";
import { ClusterProblem } from "./support/problem.ts";

const data = {
  data: {
    type: "string",
    description: "Folder for all data",
    valueHint: "dir",
    default: process.env.KV_DATA_DIR || defaultDataDir(),
  },
} as const;
const json = { json: { type: "boolean", description: "Print JSON" } } as const;
const shape = {
  shards: { type: "string", description: `Shards of a new cluster, a power of two (${DEFAULTS.shards})` },
  tablets: { type: "string", description: `Tablets of each shard (${DEFAULTS.tablets})` },
  "port-base": { type: "string", description: `First of its ports (${DEFAULTS.portBase})` },
} as const;

const main = defineCommand({
  meta: { name: "cluster", description: "A Vitess cluster on this machine" },
  subCommands: {
    up: defineCommand({
      meta: { name: "up", description: "Start it, installing what is missing; it goes on in the background" },
      args: { ...data, ...shape, ...json },
      run: ({ args }) =>
        guard(async (signal) => {
          const options: ClusterOptions = {
            dataDir: resolve(args.data),
            shards: integer("--shards", args.shards),
            tablets: integer("--tablets", args.tablets),
            portBase: integer("--port-base", args["port-base"]),
          };
          const { status } = await up(options, signal);
          console.log(args.json ? JSON.stringify(status, undefined, 2) : renderStatus(status));
        }),
    }),
    down: defineCommand({
      meta: { name: "down", description: "Stop it, keeping its data" },
      args: data,
      run: ({ args }) => guard((signal) => down(resolve(args.data), signal)),
    }),
    status: defineCommand({
      meta: {
        name: "status",
        description: "Show shards, roles, lag, processes and sweeps; exits 1 when anything is missing",
      },
      args: { ...data, ...json },
      run: ({ args }) =>
        guard(async () => {
          const now = await clusterStatus(resolve(args.data));
          // Those that are silent would be waited for.
          const url = now.vtgates.flatMap(({ answers, url }) => (answers ? [url] : [])).join();
          // Nothing, as long as there is no table or vtgate does not answer.
          const sweeps = await readSweepStatus({
            url,
            storeOver: directStore,
            hash: (key) => Bun.hash.xxHash64(key),
          }).catch(() => new Map());
          const document = { ...now, sweeps: Object.fromEntries(sweeps) };
          console.log(args.json ? JSON.stringify(document, undefined, 2) : renderStatus(now, sweeps));
          if (!isWhole(now)) process.exitCode = 1;
        }),
    }),
    reshard: defineCommand({
      meta: {
        name: "reshard",
        description: "Split or merge its shards while it serves; run it again to go on after an interruption",
      },
      args: { count: { type: "positional", description: "Shards, a power of two" }, ...data },
      run: ({ args }) =>
        guard(async (signal) => {
          const status = await reshard(resolve(args.data), integer("reshard", args.count) ?? 0, signal);
          console.log(renderStatus(status));
        }),
    }),
    reparent: defineCommand({
      meta: { name: "reparent", description: "Make another tablet the primary of a shard" },
      args: { shard: { type: "positional", description: "Name of the shard", required: false }, ...data },
      run: ({ args, rawArgs }) =>
        guard(async (signal) => {
          console.log(renderStatus(await reparent(resolve(args.data), shardOf(args.shard, rawArgs), signal)));
        }),
    }),
    rebuild: defineCommand({
      meta: { name: "rebuild", description: "Write a shard's rows anew in the order of their keys, into fewer pages" },
      args: { shard: { type: "positional", description: "Name of the shard (all)", required: false }, ...data },
      run: ({ args, rawArgs }) =>
        guard(async (signal) => {
          const shard = shardOf(args.shard, rawArgs) || undefined;
          console.log(renderStatus(await rebuild(resolve(args.data), shard, signal)));
        }),
    }),
    "add-tablet": defineCommand({
      meta: {
        name: "add-tablet",
        description: "Give a shard one more replica; run it again to go on after an interruption",
      },
      args: { shard: { type: "positional", description: "Name of the shard", required: false }, ...data },
      run: ({ args, rawArgs }) =>
        guard(async (signal) => {
          console.log(renderStatus(await addTablet(resolve(args.data), shardOf(args.shard, rawArgs), signal)));
        }),
    }),
    "remove-tablet": defineCommand({
      meta: { name: "remove-tablet", description: "Delete a replica, by default the tablet that does not run" },
      args: {
        tablet: { type: "positional", description: "Its alias or number", required: false },
        force: { type: "boolean", description: "Even if the shard can't lose another one then" },
        ...data,
      },
      run: ({ args }) =>
        guard(async (signal) => {
          const status = await removeTablet(resolve(args.data), args.tablet, args.force ?? false, signal);
          console.log(renderStatus(status));
        }),
    }),
    backup: defineCommand({
      meta: { name: "backup", description: "Copy all shards while they serve" },
      args: {
        to: { type: "string", description: "Folder for backups (backups in the data folder)", valueHint: "dir" },
        keep: { type: "string", description: "Delete older backups of this cluster there, but so many" },
        ...data,
      },
      run: ({ args }) =>
        guard(async (signal) => {
          const options = { dataDir: resolve(args.data), to: args.to, keep: integer("--keep", args.keep) };
          console.log(await backup(options, signal));
        }),
    }),
    restore: defineCommand({
      meta: { name: "restore", description: "Make a new cluster from a backup, and start it" },
      args: {
        from: { type: "string", description: "A backup, or a folder of backups, for the latest", valueHint: "dir" },
        tablets: { type: "string", description: "Tablets of each shard (as many as there were)" },
        "port-base": { type: "string", description: "First of its ports (as before)" },
        ...data,
      },
      run: ({ args }) =>
        guard(async (signal) => {
          if (!args.from) throw new ClusterProblem("Say with --from which backup to restore.");
          const options = {
            from: args.from,
            dataDir: resolve(args.data),
            tablets: integer("--tablets", args.tablets),
            portBase: integer("--port-base", args["port-base"]),
          };
          console.log(renderStatus(await restore(options, signal)));
        }),
    }),
    reset: defineCommand({
      meta: { name: "reset", description: "Stop it and delete its data" },
      args: data,
      run: ({ args }) => guard((signal) => reset(resolve(args.data), signal)),
    }),
  },
});

/** A shard's name may begin with a dash, as options do. */
function shardOf(argument: string | undefined, rawArgs: string[]): string {
  return argument ?? rawArgs.find((arg) => /^-[0-9a-f]*$/.test(arg)) ?? "";
}

function integer(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new ClusterProblem(`${flag} takes a whole number, not '${text}'.`);
  return Number(text);
}

/** Ctrl-C aborts the command, which then stops what it started; a problem is told in its own words, without a stack. */
async function guard(work: (signal: AbortSignal) => Promise<void>) {
  const { signal } = interruption();
  try {
    await work(signal);
  } catch (error) {
    const interrupted = signal.aborted && (error as Error).name === "AbortError";
    if (!interrupted)
      console.error(error instanceof ClusterProblem || error instanceof RangeError ? error.message : error);
    process.exit(interrupted ? 130 : 1);
  }
  process.exit(process.exitCode ?? 0);
}

await runMain(main);
