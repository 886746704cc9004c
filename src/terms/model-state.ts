// The states of the world in `model.ts`.

import { START_BITS, type Tag, termOf } from "../database/tag.ts";
import type { TermFacts } from "../database/terms.ts";
import type { Terms } from "./terms.ts";

export const NONE = -1;
/** For so many ticks whoever meets a term waits until it is clear. */
export const CLEAR = 2;

const WRITES = ["none", "sent", "acknowledged", "held"] as const;

export interface Term {
  mysqld: number;
  /** Whether it began with a planned change, and not in an emergency. */
  isPlanned: boolean;
  /** The version that its primary shows. */
  shown: number;
  /** Whether anything of its own was acknowledged. */
  wrote: boolean;
  /** The term that the mark in it is of. */
  mark: number;
  starts: number;
}

export interface Server {
  /** By term, for how long it has been waited for, up to CLEAR; NONE if it has not been met. */
  known: number[];
  /** By tag, how long ago the last commit was sent that is known to be acknowledged; NONE if that is useless. */
  proved: number[];
  /** What is held of a read, since `readAge`; NONE if there is none. */
  readAge: number;
  readTag: Tag;
  readVersion: number;
  readIsStale: boolean;
  write: (typeof WRITES)[number];
  writeAge: number;
  writeTag: Tag;
  writeVersion: number;
}

export interface State {
  terms: Term[];
  servers: Server[];
  /** Writes so far. */
  executed: number;
  restarts: number;
  /** The version that a replica has. */
  durable: number;
  told: number;
  lost: number;
  violation: string;
}

export const NAMES = ["A", "B", "C", "D"];

export function realTag(term: number, _mysqld: number, starts: number): Tag {
  return term * 2 ** START_BITS + starts;
}

/** Where a server's state has what belongs to the tag. */
export function placeOf(tag: Tag): number {
  return 2 * termOf(tag) + (tag % 2);
}

/** What `Terms` remembers, to put it into a state and back. */
export function memoryOf(terms: Terms) {
  return terms as unknown as { clear: Map<number, number>; provedAt: Map<Tag, number> };
}

export function currentOf({ terms }: State): Term {
  return terms[terms.length - 1] as Term;
}

/** Whether its primary still answers: it was not stopped for a planned change, and has no later term. */
export function answers({ terms }: State, at: number): boolean {
  if (at === terms.length - 1) return true;
  if (terms[at + 1]?.isPlanned) return false;
  for (let i = at + 1; i < terms.length; i++) if (terms[i]?.mysqld === terms[at]?.mysqld) return false;
  return true;
}

/** As the term's primary says it, with one transaction for all of a term's. */
export function factsOf({ terms }: State, at: number): TermFacts {
  const { mysqld, isPlanned } = terms[at] as Term;
  const executed = terms.slice(0, at).flatMap((term, i) => (term.wrote ? [{ of: term.mysqld, at: i }] : []));
  const gtids = (some: typeof executed) => some.map(({ of, at }) => `${NAMES[of]}:${at + 1}`).join(",\n");
  return {
    ...{ tag: 0, server: NAMES[mysqld] as string, mark: null, markRevision: null },
    others: gtids(executed.filter(({ of }) => of !== mysqld)),
    change: {
      action: isPlanned ? "PlannedReparentShard" : "EmergencyReparentShard",
      position: `MySQL56/${gtids(executed)}`,
    },
  };
}

export function catchUp(next: State) {
  const current = currentOf(next);
  next.durable = current.shown;
  current.wrote = true;
}

export function lose(next: State, version: number) {
  next.lost = version;
  if (next.told >= version) next.violation = `version ${version} was told, and is lost`;
}

export function tell(next: State, version: number, isStale: boolean) {
  if (isStale) next.violation = `version ${version} is told, though a later one had been when its read began`;
  if (version === next.lost) next.violation = `version ${version} is told, though it is lost`;
  next.told = Math.max(next.told, version);
}

export function giveUpRead(server: Server) {
  Object.assign(server, { readAge: NONE, readTag: 0, readVersion: 0, readIsStale: false });
}

export function giveUpWrite(server: Server) {
  Object.assign(server, { write: "none", writeAge: 0, writeTag: 0, writeVersion: 0 });
}

export function copyOf(state: State): State {
  const terms = state.terms.map((term) => ({ ...term }));
  const servers = state.servers.map((server) => ({
    ...server,
    known: server.known.slice(),
    proved: server.proved.slice(),
  }));
  return { ...state, terms, servers };
}

const numbers: number[] = [];

/** One for each state. */
export function keyOf({ terms, servers, executed, restarts, durable, told, lost }: State): string {
  numbers.length = 0;
  numbers.push(executed, restarts, durable, told, lost + 1);
  for (const { mysqld, isPlanned, shown, wrote, mark, starts } of terms) {
    numbers.push(mysqld, Number(isPlanned), shown, Number(wrote), mark, starts);
  }
  for (const server of servers) {
    for (const each of server.known) numbers.push(each + 1);
    for (const each of server.proved) numbers.push(each + 1);
    numbers.push(server.readAge + 1, placeOf(server.readTag), server.readVersion, Number(server.readIsStale));
    numbers.push(WRITES.indexOf(server.write), server.writeAge, placeOf(server.writeTag), server.writeVersion);
  }
  return String.fromCharCode(...numbers);
}
