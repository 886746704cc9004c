// `npm run bench -- [section…] [--seconds 10] [--warmup 3] [--repeat 1]`: measures on a cluster of its own, writes
// results/SECTION.json and results/SECTION.md, and stops and deletes everything whatever happens.

import { parseArgs } from "node:util";
import { withLock } from "../vitess/support/lock.ts";
import { ClusterProblem } from "../vitess/support/problem.ts";
import { type Findings, report } from "./report.ts";
import { type Options, Rig } from "./rig.ts";
import { calls } from "./sections/calls.ts";
import { compare } from "./sections/compare.ts";
import { expiry } from "./sections/expiry.ts";
import { footprint } from "./sections/footprint.ts";
import { layers } from "./sections/layers.ts";
import { overload } from "./sections/overload.ts";
import { reshard } from "./sections/reshard.ts";
import { scale } from "./sections/scale.ts";
import { simulate } from "./sections/simulate.ts";
import { validate } from "./sections/validate.ts";

const SECTIONS: Record<string, (rig: Rig) => Promise<Findings>> = {
  layers,
  compare,
  calls,
  scale,
  simulate,
  overload,
  expiry,
  footprint,
  reshard,
  validate,
};

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

let code = 0;
try {
  const { sections, options } = readArguments();
  const rig = new Rig(options, stop.signal);
  const onWait = (holder: number) => console.error(`… waiting for process ${holder}, which is measuring`);
  await withLock(rig.lockFile, { signal: stop.signal, onWait }, () => runSections(rig, sections));
} catch (error) {
  code = stop.signal.aborted ? 130 : 1;
  if (!stop.signal.aborted) console.error(error instanceof ClusterProblem ? error.message : error);
}
process.exit(code);

async function runSections(rig: Rig, sections: string[]) {
  try {
    await rig.open();
    for (const name of sections) {
      const findings = await (SECTIONS[name] as (typeof SECTIONS)[string])(rig);
      await rig.stopServers();
      console.log(`\n${report(name, findings, rig.options)}`);
    }
  } finally {
    await rig.close();
  }
}

function readArguments(): { sections: string[]; options: Options } {
  const defaults = { seconds: "10", warmup: "3", repeat: "1" };
  const { values, positionals } = parse(defaults);
  for (const name of positionals) {
    if (!Object.hasOwn(SECTIONS, name)) {
      throw new ClusterProblem(`There is no section ${name}, only ${Object.keys(SECTIONS).join(", ")}.`);
    }
  }
  const whole = (name: keyof typeof defaults) => {
    const text = values[name] ?? defaults[name];
    if (!/^[1-9]\d{0,3}$/.test(text)) {
      throw new ClusterProblem(`--${name} takes a whole number from 1 on, not '${text}'.`);
    }
    return Number(text);
  };
  return {
    sections: positionals.length > 0 ? positionals : Object.keys(SECTIONS),
    options: { seconds: whole("seconds"), warmupSeconds: whole("warmup"), rounds: whole("repeat") },
  };
}

function parse(defaults: Record<string, string>): { values: Record<string, string>; positionals: string[] } {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: "string" as const }]));
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options });
    return { values: values as Record<string, string>, positionals };
  } catch (error) {
    throw new ClusterProblem((error as Error).message);
  }
}
