// What an open connection takes of a server's memory, and of vtgate's.

import { type Connection, createConnection } from "mysql2/promise";
import { step } from "../../vitess/support/progress.ts";
import { memoryMb } from "../memory.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";

export interface ConnectionMemory {
  of: "server" | "vtgate";
  connections: number;
  kbEach: number;
}

const HTTP_CONNECTIONS = 5_000;
const SQL_CONNECTIONS = 1_000;
const OPENING_AT_ONCE = 100;
/** Until what was needed for opening them is let go of. */
const SETTLE_MS = 3_000;

export async function measureConnections(rig: Rig): Promise<ConnectionMemory[]> {
  const { vtgates } = await rig.cluster();
  const [vtgate] = vtgates;
  const server = await rig.startServer();
  const { hostname, port } = new URL(server.url);
  const request = `GET /v1/kv/bench/absent HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  const http = await grown(rig, "server", server.pid, HTTP_CONNECTIONS, async () => {
    const answered = Promise.withResolvers<void>();
    const data = () => answered.resolve();
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data } });
    socket.write(request);
    await answered.promise;
    return () => socket.end();
  });
  const sql = await grown(rig, "vtgate", vtgate.pid as number, SQL_CONNECTIONS, async () => {
    const connection: Connection = await createConnection(vtgate.url);
    await connection.query("SELECT 1");
    return () => connection.destroy();
  });
  return [http, sql];
}

/** Opens so many, each of which has been used once, and closes them. */
async function grown(
  { signal }: Rig,
  of: ConnectionMemory["of"],
  pid: number,
  connections: number,
  open: () => Promise<() => void>,
): Promise<ConnectionMemory> {
  return step(`${figure(connections)} connections to ${of}`, async (report) => {
    const closers: (() => void)[] = [];
    const before = memoryMb(pid);
    try {
      while (closers.length < connections) {
        signal.throwIfAborted();
        closers.push(...(await Promise.all(Array.from({ length: OPENING_AT_ONCE }, open))));
        report(figure(closers.length));
      }
      await Bun.sleep(SETTLE_MS);
      return { of, connections, kbEach: ((memoryMb(pid) - before) * 1e3) / closers.length };
    } finally {
      for (const close of closers) close();
    }
  });
}

export function connectionTable(memory: ConnectionMemory[]): string {
  return table(
    ["Of", "connections", "kB each"],
    memory.map(({ of, connections, kbEach }) => [of, figure(connections), figure(kbEach)]),
  );
}
