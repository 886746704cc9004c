// `kv watch-stats`: what a server's /metrics say, as rates, once a second.

import { setTimeout as sleep } from "node:timers/promises";
import { defineCommand } from "citty";
import { wholeNumber } from "./options.ts";
import { Ending, EXIT } from "./outcome.ts";
import { print, printJson } from "./output.ts";
import { ratesBetween, type Sample, sampleOf } from "./samples.ts";
import { stop } from "./stop.ts";
import { storeArguments, storeUrl, token } from "./target.ts";

const EVERY_MS = 1_000;
const CLEAR = "\u001b[H\u001b[J";

export const watchStats = defineCommand({
  meta: { name: "kv watch-stats", description: "Print the rates of a server's counters once a second" },
  args: {
    match: { type: "string", description: "Only metrics whose name or labels hold this", valueHint: "text" },
    count: { type: "string", description: "End after so many seconds", valueHint: "count" },
    json: { type: "boolean", description: "Print a line of JSON each time" },
    ...storeArguments,
  },
  async run({ args }) {
    const times = wholeNumber("--count", args.count) ?? Number.POSITIVE_INFINITY;
    const url = `${storeUrl(args.url).replace(/\/+$/, "")}/metrics`;
    let before = await read(url);
    for (let left = times; left > 0; left--) {
      await sleep(EVERY_MS, undefined, { signal: stop });
      const after = await read(url);
      const found = ratesBetween(before, after).filter(({ series }) => series.includes(args.match ?? ""));
      before = after;
      if (args.json) {
        const values = Object.fromEntries(
          found.map(({ series, value, isRate }) => [isRate ? `${series}/s` : series, value]),
        );
        await printJson({ time: new Date().toISOString(), ...values });
        continue;
      }
      const width = Math.max(0, ...found.map(({ series }) => series.length));
      const lines = found.map(
        ({ series, value, isRate }) => `${series.padEnd(width)}  ${value.toFixed(isRate ? 1 : 3)}${isRate ? "/s" : ""}`,
      );
      await print(`${process.stdout.isTTY ? CLEAR : ""}${new Date().toISOString()}\n${lines.join("\n")}\n`);
    }
  },
});

async function read(url: string): Promise<Sample> {
  const bearer = token();
  const headers: Record<string, string> = bearer ? { Authorization: `Bearer ${bearer}` } : {};
  const response = await fetch(url, { headers, signal: stop }).catch((error) => {
    if (stop.aborted) throw error;
    throw new Ending(EXIT.refused, "The server can't be reached.");
  });
  if (!response.ok) throw new Ending(EXIT.refused, `The server answers /metrics with ${response.status}.`);
  return sampleOf(await response.text(), performance.now());
}
