// `npm run robustness -- [--seed N] [--fault NAME,…] [--mutant NAME [--healthy]] [--operate N [--later]] [--seconds N] [--data DIR] [--port-base N]`:
// every fault under load, or what an operator does, one after another, on a cluster of its own. Exits 1 when a promise of the
// store's is broken.

import { rmSync } from "node:fs";
import { report, table } from "../../bench/report.ts";
import { interruption } from "../../src/signals.ts";
import { withLock } from "../../vitess/support/lock.ts";
import { ClusterProblem } from "../../vitess/support/problem.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { type Way, wayTo } from "../proxy.ts";
import { PORCUPINE_VERSION } from "./checker.ts";
import { makeEagerCollector } from "./collector.ts";
import { FAULTS } from "./faults/index.ts";
import { type Judgement, judge } from "./judge.ts";
import { environmentOf } from "./mutants.ts";
import { type Options, readOptions } from "./options.ts";
import { type Outcome, operationsTable, remarksOn, tableOf } from "./report.ts";
import { Rig } from "./rig.ts";
import { PROFILE } from "./traffic.ts";

const LOSS_INTERVAL_MS = 100;

const stop = interruption();

let code = 0;
try {
  code = await main();
} catch (error) {
  code = stop.signal.aborted ? 130 : 1;
  if (!stop.signal.aborted) console.error(error instanceof ClusterProblem ? error.message : error);
}
process.exit(code);

/** The exit code. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const onWait = (holder: number) => console.error(`… waiting for process ${holder}, which uses that folder`);
  return await withLock(`${options.dataDir}.lock`, { signal: stop.signal, onWait }, () => runOn(options));
}

async function runOn(options: Options): Promise<number> {
  const { mutant, healthy, operates, later, dataDir, portBase } = options;
  const loses = mutant?.loses;
  const programs = `${dataDir}-programs`;
  if (later) await makeEagerCollector(programs);
  const outDir = `${dataDir}-histories`;
  rmSync(outDir, { recursive: true, force: true });
  const ways: Way[] = [];
  const rig = new Rig({
    dataDir,
    portBase,
    // With one there is room for its reshardings on most machines.
    shards: operates ? 1 : 2,
    tablets: 3,
    ...(mutant && !healthy && { environment: environmentOf(mutant) }),
    ...(later && { environment: { PATH: `${programs}:${process.env.PATH}` } }),
    ...(loses && { firstUrl: (url) => lossyUrl(url, loses, ways) }),
  });
  let outcomes: Outcome[];
  try {
    await rig.open();
    outcomes = await runFaults(rig, options, outDir);
  } finally {
    for (const way of ways) await way.close();
    await rig.close();
    rmSync(programs, { recursive: true, force: true });
  }
  if (operates) console.log(operationsTable(outcomes, rig.tookMs));
  else
    write(
      outcomes.flatMap(({ judgement }) => judgement ?? []),
      options,
    );
  const bad = outcomes.some(({ judgement }) => !judgement || judgement.complaints.length > 0);
  if (bad) console.error(`The histories are in ${outDir}.`);
  else rmSync(outDir, { recursive: true, force: true });
  return bad ? 1 : 0;
}

/** One after the other; without a judgement where one could not be done or be mended. */
async function runFaults(rig: Rig, { faults, mutant, seed, seconds }: Options, outDir: string) {
  const outcomes: Outcome[] = [];
  const how = {
    profile: mutant?.profile ?? PROFILE,
    times: { beforeMs: seconds * 1000, afterMs: seconds * 500 },
    outDir,
  };
  for (const fault of new Set(faults)) {
    const lack = await fault.lacks?.(rig);
    if (lack) console.error(`! ${fault.name} may be left out: ${lack}`);
  }
  for (const [i, fault] of faults.entries()) {
    const reason = (await fault.impossible?.(rig)) ?? (await fault.lacks?.(rig));
    if (reason) {
      console.error(`○ ${fault.name} was left out: ${reason}`);
      continue;
    }
    try {
      const judgement = await judge(rig, fault, { ...how, seed: seed + i }, stop.signal);
      tell(judgement);
      outcomes.push({ fault, judgement });
    } catch (error) {
      if (stop.signal.aborted) throw error;
      console.error(`✗ ${fault.name}: ${(error as Error).message}`);
      outcomes.push({ fault });
      await rig.recover();
    }
  }
  return outcomes;
}

function tell({ name, calls, seconds, findings, complaints, notes }: Judgement) {
  console.error(
    `${complaints.length > 0 ? "✗" : "✓"} ${name}: ${calls} calls in ${seconds} s, checked in ${findings.seconds.toFixed(1)} s`,
  );
  for (const complaint of [...complaints, ...notes]) console.error(`    ${complaint}`);
}

/** Prints the table; keeps the results of a whole run only. */
function write(judgements: Judgement[], { faults, seed, seconds }: Options) {
  const { head, rows } = tableOf(judgements);
  const markdown = [table(head, rows), remarksOn(judgements)].filter(Boolean).join("\n\n");
  console.log(markdown);
  if (faults !== FAULTS) return;
  const findings = {
    title: "Robustness",
    versions: { vitess: VITESS_VERSION, porcupine: PORCUPINE_VERSION },
    method: `Two servers that sweep, over a cluster that begins with two shards of three tablets each; calls for ${seconds} s before each fault, while it lasts and is mended, and for ${seconds / 2} s after it. Times without a write are the longest of a shard in all of that.`,
    // Without the places of files, which are gone when it is read.
    data: { faults: judgements.map(({ findings: { files, ...findings }, ...rest }) => ({ ...rest, findings })) },
    markdown,
  };
  report("robustness", findings, { seed, seconds });
}

/** Leads to the first of the URLs, with a loss of the answer to a statement with that text now and then. */
async function lossyUrl(url: string, text: string, ways: Way[]): Promise<string> {
  const way = await wayTo(url.split(",")[0] as string);
  ways.push(way);
  setInterval(() => way.lose(text, "answer"), LOSS_INTERVAL_MS).unref();
  return way.url;
}
