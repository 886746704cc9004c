// Runs the cases, in whatever runtime this is, and tells how each ended.

import { createClient } from "../../src/client/index.ts";
import { CASES, type Case, type Surroundings } from "./cases.ts";
import { REQUEST_CASES } from "./request-cases.ts";

export const SUITE: Case[] = [...CASES, ...REQUEST_CASES];

/** By a case's name, what went wrong in it; null where nothing did. */
export type Outcomes = Record<string, string | null>;

/** All at once, each in a namespace of its own. */
export async function runSuite(surroundings: Surroundings): Promise<Outcomes> {
  const outcomes = SUITE.map(async ({ name, run }) => [name, await outcomeOf(run, surroundings)] as const);
  return Object.fromEntries(await Promise.all(outcomes));
}

export async function outcomeOf(run: Case["run"], surroundings: Surroundings): Promise<string | null> {
  const namespace = `client-${crypto.randomUUID()}`;
  const connect: Parameters<Case["run"]>[0]["connect"] = (options) =>
    createClient({ url: surroundings.url, namespace, token: surroundings.tokens?.all, timeoutMs: 60_000, ...options });
  try {
    await run({ ...surroundings, connect, kv: connect() });
    return null;
  } catch (error) {
    return (error as Error).stack ?? String(error);
  }
}
