// How fast a store is copied by `kv export` and `kv import`, with what memory, and whether the copy is exact though it is
// cut off on the way. KV_BENCH_KEYS is how many keys there are; a million unless given.

import { statSync } from "node:fs";
import { createClient } from "../../src/client/index.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { differences, farBase, fill } from "../copy/entries.ts";
import { cutOffCopy, type Run, resumedCopy, runShell } from "../copy/pipeline.ts";
import { type Findings, figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";

interface Step {
  name: string;
  entries: number;
  seconds: number;
  memoryMb: number;
}

const KEYS = Number(process.env.KV_BENCH_KEYS || 1_000_000);

export async function copy(rig: Rig): Promise<Findings> {
  const { signal } = rig;
  const [source, target] = [await rig.startServer(), await rig.startServer()];
  const client = (url: string, namespace: string) => createClient({ url, namespace, timeoutMs: 120_000, retries: 10 });
  const baseMs = farBase();
  await step(`write ${figure(KEYS)} entries`, (report) =>
    fill(client(source.url, "from"), KEYS, baseMs, (written) => report(figure(written))),
  );
  const steps: Step[] = [];
  const take = (name: string, entries: number, { seconds, memoryMb }: Run) =>
    steps.push({ name, entries, seconds, memoryMb });
  const file = rig.file("export.ndjson");
  const variables = { FROM: "from", FROM_URL: source.url, TO: "to", TO_URL: target.url, FILE: file };

  const exported = await step("export to a file", () =>
    runShell(`kv export "$FROM" --url "$FROM_URL" > "$FILE"`, variables, signal),
  );
  if (exported.code !== 0) throw new Error(`the export failed:\n${exported.told}`);
  take("`kv export` to a file", KEYS, exported);
  const { size } = statSync(file);
  const cut = await step("copy, cut off in its middle", () => cutOffCopy(variables, Math.floor(size / 2), signal));
  take("`kv export \\| kv import`, cut off in its middle", cut.imported, cut);
  const rest = await step("copy the rest", () => resumedCopy(variables, cut.cursor, signal));
  take("the rest of it, from the cursor that the import names", rest.imported, rest);
  const found = await step("compare", () => differences(client(target.url, "to"), KEYS, baseMs));
  if (Object.values(found).some((count) => count > 0))
    throw new Error(`the copy is not exact: ${JSON.stringify(found)}`);

  return {
    versions: { vitess: VITESS_VERSION },
    method: `${figure(KEYS)} entries, ${figure(size / 1e6)} MB as lines of JSON: values of up to 256 bytes, some of them and some keys not UTF-8, every third with metadata, every fourth with an expiry. They go from one server's namespace into another one's of a second server over the same cluster. The copy has every entry exactly, with content type, metadata and the millisecond of its expiry, and no other. Memory is the most that any one program of the pipe had.`,
    data: { entries: KEYS, bytes: size, steps, differences: found },
    markdown: table(
      ["Step", "entries", "seconds", "entries/s", "memory, MB"],
      steps.map(({ name, entries, seconds, memoryMb }) => [
        name,
        entries.toLocaleString("en-US"),
        ...[seconds, entries / seconds, memoryMb].map(figure),
      ]),
    ),
  };
}
