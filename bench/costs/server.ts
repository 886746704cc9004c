// What calls cost a server's thread besides their statements, in microseconds: in this process without sockets, and by how
// much more it is in a server that has them.

import { setImmediate } from "node:timers/promises";
import { CALLS as AT_ONCE, found, NAMESPACE_URL, names, wholeServer } from "../in-process.ts";
import { median } from "../report.ts";
import { CALL_NAMES, type CallName, callKind, type Kind } from "./calls.ts";
import { NEW } from "./stub-table.ts";

const TURNS = 5;
const TURN_MS = 300;

/** `served` is what a server takes for a GET and for a PUT, whose statements it shares with a thousand others. */
export async function callMicros(served: Record<Kind, number>, signal: AbortSignal): Promise<Record<CallName, number>> {
  const server = wholeServer();
  const turns = Object.fromEntries(CALL_NAMES.map((name) => [name, [] as number[]])) as Record<CallName, number[]>;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const name of CALL_NAMES) {
      signal.throwIfAborted();
      turns[name].push(await turnMicros(server, name));
    }
  }
  const inProcess = (name: CallName) => median(turns[name]);
  const sockets = { read: served.read - inProcess("get"), write: served.write - inProcess("put") };
  const entries = CALL_NAMES.map((name) => [name, inProcess(name) + Math.max(0, sockets[callKind(name).kind])]);
  return Object.fromEntries(entries);
}

async function turnMicros(server: ReturnType<typeof wholeServer>, name: CallName): Promise<number> {
  const { isNew, keys = 1, request } = callKind(name);
  const all = isNew ? names.map((each) => `${each}${NEW}`) : names;
  const groups = Array.from({ length: AT_ONCE / keys }, (_, i) => all.slice(i * keys, (i + 1) * keys));
  const before = process.cpuUsage();
  const until = performance.now() + TURN_MS;
  let calls = 0;
  while (performance.now() < until) {
    const answers = await Promise.all(
      groups.map((group) => server.fetch(request(NAMESPACE_URL, group, found.version))),
    );
    const failed = answers.find(({ ok }) => !ok);
    if (failed) throw new Error(`${name}: ${failed.status} ${await failed.text()}`);
    await setImmediate();
    calls += groups.length;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
