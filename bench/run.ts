// `npm run bench -- [section…]`: measures on a cluster of its own, writes results/SECTION.json and results/SECTION.md, and
// stops and deletes everything whatever happens.

import { interruption } from "../src/signals.ts";
import { withLock } from "../vitess/support/lock.ts";
import { main, option, Problem } from "./cli.ts";
import { type Findings, report } from "./report.ts";
import { Rig } from "./rig.ts";
import { bytes } from "./sections/bytes.ts";
import { calls } from "./sections/calls.ts";
import { cold } from "./sections/cold.ts";
import { compare } from "./sections/compare.ts";
import { compression } from "./sections/compression.ts";
import { copy } from "./sections/copy.ts";
import { edge } from "./sections/edge.ts";
import { expiry } from "./sections/expiry.ts";
import { footprint } from "./sections/footprint.ts";
import { layers } from "./sections/layers.ts";
import { leases } from "./sections/leases.ts";
import { lists } from "./sections/lists.ts";
import { million } from "./sections/million.ts";
import { overload } from "./sections/overload.ts";
import { pages } from "./sections/pages.ts";
import { reshard } from "./sections/reshard.ts";
import { scale } from "./sections/scale.ts";
import { simulate } from "./sections/simulate.ts";
import { statements } from "./sections/statements.ts";
import { telemetry } from "./sections/telemetry.ts";
import { validate } from "./sections/validate.ts";

const SECTIONS: Record<string, (rig: Rig) => Promise<Findings>> = {
  ...{
    layers,
    compare,
    calls,
    scale,
    statements,
    simulate,
    overload,
    expiry,
    lists,
    footprint,
    bytes,
    pages,
    compression,
    cold,
    reshard,
    copy,
    edge,
  },
  ...{ leases, telemetry, million, validate },
};

const args = {
  seconds: option("How long each measurement takes", "n", 10),
  warmup: option("How long the same load runs before it, unmeasured", "n", 3),
  repeat: option("How many times everything is measured; each figure is the median", "n", 1),
};

const description = `Measures what it is told of ${Object.keys(SECTIONS).join(", ")}, or all`;
await main({ name: "bench", description }, args, async ({ _: named, ...given }) => {
  const unknown = named.find((name) => !Object.hasOwn(SECTIONS, name));
  if (unknown) throw new Problem(`There is no section ${unknown}, only ${Object.keys(SECTIONS).join(", ")}.`);
  const whole = (name: keyof typeof args) => {
    if (/^[1-9]\d{0,3}$/.test(given[name])) return Number(given[name]);
    throw new Problem(`--${name} takes a whole number from 1 on, not '${given[name]}'.`);
  };
  const options = { seconds: whole("seconds"), warmupSeconds: whole("warmup"), rounds: whole("repeat") };
  const { signal } = interruption();
  const rig = new Rig(options, signal);
  const onWait = (holder: number) => console.error(`… waiting for process ${holder}, which is measuring`);
  try {
    await withLock(rig.lockFile, { signal, onWait }, () =>
      measureAll(rig, named.length > 0 ? named : Object.keys(SECTIONS)),
    );
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return signal.aborted ? 130 : 0;
});

async function measureAll(rig: Rig, sections: string[]) {
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
