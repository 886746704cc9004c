// What the comparison measures: systems that store the same entries and take the same two calls.

import { writeFileSync } from "node:fs";
import type { Groups } from "./cpu.ts";
import { httpLoad, type Load } from "./generators.ts";
import { uniform } from "./random.ts";
import type { Rig } from "./rig.ts";

export const KEYS = 10_000;
export const VALUE_BYTES = 256;
/** Plain letters: every system then stores the same bytes, whatever it takes for text. */
export const VALUE = "v".repeat(VALUE_BYTES);

/** Calls that write keys. */
const AT_ONCE = 100;
/** How often a key is among those of calls for several. */
const SHUFFLES = 5;

export const OPERATIONS = ["get", "put"] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface System {
  name: string;
  connections: number;
  /** Its processes, by the group under which their use of the machine is reported. */
  processes: Groups;
  versions: Record<string, string>;
  /** The least that the right answer to a GET has in its body. */
  answerBytes: number;
  /** Loads it with one kind of call on uniformly random keys; absent where it has none. */
  get: (seconds: number) => Promise<Load>;
  put?: (seconds: number) => Promise<Load>;
}

export const KEY_NAMES = Array.from({ length: KEYS }, (_, i) => `key${String(i).padStart(4, "0")}`);

/** The keys of calls for `size` keys each: every key is in as many, and in none twice. */
export function keyGroups(size: number): string[][] {
  return Array.from({ length: SHUFFLES }, shuffledKeys).flatMap((keys) =>
    Array.from({ length: Math.floor(KEYS / size) }, (_, i) => keys.slice(i * size, (i + 1) * size)),
  );
}

function shuffledKeys(): string[] {
  const keys = [...KEY_NAMES];
  for (let i = keys.length - 1; i > 0; i--) {
    const other = uniform(i + 1);
    [keys[i], keys[other]] = [keys[other] as string, keys[i] as string];
  }
  return keys;
}

/** A file for a load generator that takes a random one of its lines for each call. */
export function linesFile(rig: Rig, name: string, lines: string[]): string {
  const file = rig.file(name);
  writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
  return file;
}

/** Writes all keys, some at a time. That they are there is seen from the answers to the GETs that are measured. */
export async function putKeys(put: (key: string) => Request, signal: AbortSignal) {
  const call = async (key: string) => {
    const answer = await fetch(put(key), { signal });
    if (!answer.ok) throw new Error(`PUT of ${key} was answered with ${answer.status}: ${await answer.text()}`);
  };
  for (let i = 0; i < KEYS; i += AT_ONCE) await Promise.all(KEY_NAMES.slice(i, i + AT_ONCE).map(call));
}

/** The two loads of a system whose keys have URLs of their own; on other keys than KEY_NAMES if they are given. */
export function urlLoads(
  rig: Rig,
  connections: number,
  name: string,
  urls: Record<Operation, (key: string) => string>,
  keys = KEY_NAMES,
) {
  const fileOf = (operation: Operation) => linesFile(rig, `${name}-${operation}.urls`, keys.map(urls[operation]));
  const files = { get: fileOf("get"), put: fileOf("put") };
  const body = rig.file("value");
  writeFileSync(body, VALUE);
  return {
    get: (seconds: number) => httpLoad({ connections, seconds, url: { file: files.get } }, rig.signal),
    put: (seconds: number) =>
      httpLoad({ connections, seconds, method: "PUT", url: { file: files.put }, body: { file: body } }, rig.signal),
  };
}
