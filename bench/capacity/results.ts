// Reads what the benchmarks have left in bench/results, as far as the model needs it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const cores = z.record(z.string(), z.number());
const load = z.object({ perSecond: z.number(), p50Ms: z.number(), cores });
const loads = z.object({
  measured: z.array(
    z.object({
      system: z.string(),
      connections: z.number(),
      operation: z.enum(["get", "put"]),
      rounds: z.array(load),
    }),
  ),
});
const expiry = z.object({
  mass: z.object({
    during: z.array(z.object({ rowsPerSecondAndShard: z.number() })),
    alone: z.object({ rowsPerSecondAndShard: z.number() }),
  }),
});
const overload = z.object({ phases: z.array(z.object({ memoryMb: z.object({ most: z.number() }) })) });
const latencies = z.object({ p50: z.number(), p99: z.number() }).nullable();
const calls = z.object({ perSecond: z.number(), latencyMs: latencies });
const simulate = z.object({
  results: z.array(
    z.object({
      options: z.object({ workload: z.string(), url: z.array(z.string()) }),
      steps: z.array(
        z.object({ clients: z.number(), reads: calls, writes: calls, generatorMicrosecondsPerCall: z.number() }),
      ),
    }),
  ),
});
/** Figures of sections that were made for the model, under the names of the assumptions that they replace. */
const inputs = z.record(z.string(), z.object({ values: z.array(z.number()) }));
const section = z.object({ inputs });

export type MeasuredLoad = z.infer<typeof loads>["measured"][number];
export type Operation = MeasuredLoad["operation"];

const RESULTS = join(import.meta.dirname, "../results");

/** Throws an Error that names the file, if one is missing or has another form. */
export function readResults() {
  return {
    compare: read("compare", loads),
    scale: read("scale", loads),
    expiry: read("expiry", expiry),
    overload: read("overload", overload),
    simulate: read("simulate", simulate),
    footprint: read("footprint", section),
    bytes: read("bytes", section),
    reshard: read("reshard", section),
  };
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
