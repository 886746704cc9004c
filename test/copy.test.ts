// `kv export | kv import` from the cluster into another store, a plain MySQL: exact, though it is cut off on the way.

import { expect, test } from "bun:test";
import { differences, farBase, fill } from "../bench/copy/entries.ts";
import { cutOffCopy, resumedCopy } from "../bench/copy/pipeline.ts";
import { createClient } from "../src/client/index.ts";
import { targets } from "./targets.ts";

const ENTRIES = 20_000;
/** Of some 8 MB; within a line. */
const CUT_BYTES = 3_000_003;

test(`${ENTRIES} entries of all kinds are copied exactly by a pipe that is cut off and gone on with`, async () => {
  const [from, to] = [targets.vitess, targets.mysql];
  const namespace = `copy-${crypto.randomUUID()}`;
  const client = ({ url }: { url: string }) => createClient({ url, namespace, timeoutMs: 60_000, retries: 10 });
  const baseMs = farBase();
  await fill(client(from), ENTRIES, baseMs, () => {});
  const variables = { FROM: namespace, FROM_URL: from.url, TO: namespace, TO_URL: to.url };
  const { imported, cursor } = await cutOffCopy(variables, CUT_BYTES);
  expect(imported).toBeWithin(1_000, ENTRIES);
  const partly = await differences(client(to), ENTRIES, baseMs);
  expect(partly).toEqual({ missing: ENTRIES - imported, different: 0, others: 0 });
  const rest = await resumedCopy(variables, cursor);
  expect(rest.imported).toBeLessThan(ENTRIES);
  expect(await differences(client(to), ENTRIES, baseMs)).toEqual({ missing: 0, different: 0, others: 0 });
});
