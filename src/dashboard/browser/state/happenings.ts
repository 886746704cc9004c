// What is happening to a shard, in sentences. Pure.

import type { ShardState, StateDocument } from "../../document.ts";
import { durationText } from "../bytes.ts";
import { numberText } from "./number.ts";

/** For so long a change of the primary is news. */
const NEWS_MS = 10 * 60_000;

export interface Happening {
  text: string;
  isBad: boolean;
}

export function happenings(shard: ShardState, { shards, time, database }: StateDocument): Happening[] {
  const { name, serves, tablets, migrations } = shard;
  const happening: Happening[] = [];
  const say = (text: string, isBad = false) => happening.push({ text, isBad });
  if (!tablets) {
    if (database.kind === "vitess") say("vtgate does not tell of its tablets.", true);
    return happening;
  }
  const primary = tablets.find(({ type, serving }) => type === "primary" && serving);
  if (!primary && serves) say("It has no primary that serves: it is failing over, or needs help.", true);
  const since = primary?.primarySince ? Date.parse(primary.primarySince) : Number.NaN;
  if (serves && time - since < NEWS_MS) {
    say(`${primary?.alias} became its primary ${durationText(Math.max(0, time - since))} ago.`);
  }
  if (!serves) say(filling(shard, shards));
  const takers = shards.filter((other) => !other.serves && overlap(name, other.name));
  if (serves && takers.length > 0) say(`It is being resharded, to ${takers.map((taker) => taker.name).join(" and ")}.`);
  for (const { status, progress } of migrations)
    say(`Its schema is being changed: ${status}, ${Math.round(progress)}%.`);
  return happening;
}

/** A shard that does not serve: how far it has come in taking over from those that do. */
function filling({ name, size }: ShardState, shards: ShardState[]): string {
  const sources = shards.filter((other) => other.serves && overlap(name, other.name));
  // A source's rows are spread evenly over its range, because keys are hashed.
  const expected = sources.reduce(
    (sum, source) => sum + (source.size?.rows ?? Number.NaN) * share(name, source.name),
    0,
  );
  if (!size || Number.isNaN(expected)) return "It does not serve.";
  const percent = expected === 0 ? 100 : Math.min(100, Math.round((100 * size.rows) / expected));
  return `It does not serve yet, or not any more: it has about ${numberText(size.rows)} of ${numberText(expected)} rows (${percent}%).`;
}

/** Which part of a source's range lies in the other's. */
function share(name: string, source: string): number {
  const [[start, end], [from, to]] = [rangeOf(name), rangeOf(source)];
  return Math.max(0, Math.min(end, to) - Math.max(start, from)) / (to - from);
}

function overlap(one: string, other: string): boolean {
  const [[start, end], [from, to]] = [rangeOf(one), rangeOf(other)];
  return one !== other && start < to && from < end;
}

/** Of `40-80`, as parts of the whole; a name without bounds is all of it. */
function rangeOf(name: string): [number, number] {
  const [start = "", end = ""] = name.includes("-") ? name.split("-") : [];
  const part = (hex: string) => Number.parseInt(hex, 16) / 16 ** hex.length;
  return [start === "" ? 0 : part(start), end === "" ? 1 : part(end)];
}
