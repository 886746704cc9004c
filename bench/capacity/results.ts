// Reads what the benchmarks have left in bench/results, as far as the model needs it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CALL_NAMES } from "../costs/calls.ts";
import { measuredCosts } from "../costs/costs.ts";

const rates = z.object({
  measured: z.array(z.object({ system: z.string(), rounds: z.array(z.object({ perSecond: z.number() })) })),
});
const expiry = z.object({
  mass: z.object({
    rowsPerSecondAndShard: z.number(),
    alone: z.object({ rowsPerSecondAndShard: z.number() }),
  }),
});
const overload = z.object({ phases: z.array(z.object({ memoryMb: z.object({ most: z.number() }) })) });
const statements = z.object({ rounds: z.array(measuredCosts) });
const outcome = z.object({ perSecond: z.number(), p50Ms: z.number() });
const slowness = z.object({ statement: z.number(), call: z.number() });
const validate = z.object({
  costs: measuredCosts,
  validated: z.array(
    z.object({
      ...{ group: z.enum(["plain", "other"]), title: z.string(), valueBytes: z.number() },
      turns: z.array(z.object({ measured: outcome, slowness: z.object({ read: slowness, write: slowness }) })),
      options: z.object({
        ...{ connections: z.number(), shards: z.number(), generators: z.number(), generatorMicros: z.number() },
        ...{ mix: z.partialRecord(z.enum(CALL_NAMES), z.number()), hot: z.boolean(), cores: z.number() },
      }),
    }),
  ),
});
/** Figures of sections that were made for the model, under the names of the assumptions that they replace. */
const inputs = z.record(z.string(), z.object({ values: z.array(z.number()) }));
const section = z.object({ inputs });

const RESULTS = join(import.meta.dirname, "../results");

/** Throws an Error that names the file, if one is missing or has another form. */
export function readResults() {
  return {
    statements: read("statements", statements),
    scale: read("scale", rates),
    expiry: read("expiry", expiry),
    overload: read("overload", overload),
    footprint: read("footprint", section),
    bytes: read("bytes", section),
    cold: read("cold", section),
    pages: read("pages", section),
    reshard: read("reshard", section),
  };
}

/** What was predicted with costs of its own, and measured. */
export function readValidated() {
  return read("validate", validate);
}

export type Results = ReturnType<typeof readResults>;

function read<T>(name: string, schema: z.ZodType<T>): T {
  const { success, data, error } = schema.safeParse(JSON.parse(readFileSync(join(RESULTS, `${name}.json`), "utf8")));
  if (success) return data;
  const { path, message } = error.issues[0] as z.core.$ZodIssue;
  throw new Error(
    `bench/results/${name}.json: ${path.join(".")}: ${message}; measure it anew with npm run bench -- ${name}`,
  );
}
