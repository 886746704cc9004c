// Servers over one cluster that differ in one thing, measured in turns: what disturbs the machine then changes both figures
// of a ratio.

import { step } from "../vitess/support/progress.ts";
import { fillKeys } from "./fill.ts";
import { find, type Measured, measureAll } from "./measure.ts";
import { median } from "./report.ts";
import type { Rig } from "./rig.ts";
import { storeSystem } from "./store.ts";
import type { Operation } from "./system.ts";

/** How a server is started. */
export interface Variant {
  environment?: Record<string, string>;
  /** Another version's server. */
  program?: string;
}

/** GET and PUT of each variant, with each number of connections. */
export async function measureVariants(
  rig: Rig,
  variants: Record<string, Variant>,
  connections: number[],
): Promise<Measured[]> {
  const systems = await step("servers and their entries", async () => {
    const servers = [];
    for (const [name, { environment, program }] of Object.entries(variants)) {
      // One that sweeps would be measured with what it sweeps for the others.
      servers.push([name, await rig.startServer({ KV_SWEEP: "false", ...environment }, program)] as const);
    }
    await fillKeys(rig);
    return Promise.all(
      servers.flatMap(([name, server]) => connections.map((each) => storeSystem(rig, server, name, each))),
    );
  });
  return measureAll(rig, systems);
}

type Loaded = { connections: number; operation: Operation };

/** The median of the rounds' ratios of two variants. */
export function ratioOf(
  measured: Measured[],
  name: string,
  other: string,
  { connections, operation }: Loaded,
  what: "perSecond" | "p50Ms" = "perSecond",
): number {
  const [own, base] = [name, other].map((each) => find(measured, each, operation, connections));
  const ratios = (own?.rounds ?? []).map((round, i) => round[what] / (base?.rounds[i]?.[what] ?? Number.NaN));
  return median(ratios);
}
