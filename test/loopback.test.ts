// The cluster is for its own machine: where its processes listen, and whom they let in.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { targets } from "./targets.ts";

const { status } = targets.vitess;
const { dataDir, tablets, vtgates } = status;

/** As /proc writes the state of a socket, and the address 127.0.0.1. */
const LISTENING = "0A";
const LOOPBACK = "0100007F";

/** Processes of the cluster by name, as the launcher has written them down. */
const processes = readdirSync(join(dataDir, "run"))
  .filter((file) => file.endsWith(".pid"))
  .map((file) => ({
    name: file.slice(0, -".pid".length),
    pid: Number.parseInt(readFileSync(join(dataDir, "run", file), "utf8"), 10),
  }));

interface Listener {
  process: string;
  address: string;
  port: number;
}

/** What a process listens on, in TCP. */
function listenersOf({ name, pid }: (typeof processes)[number]): Listener[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((protocol) => {
    const rows = readFileSync(`/proc/${pid}/net/${protocol}`, "utf8").trim().split("\n").slice(1);
    return rows.flatMap((row) => {
      const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
      const [address = "", port = ""] = local.split(":");
      return state === LISTENING && inodes.has(inode)
        ? [{ process: name, address, port: Number.parseInt(port, 16) }]
        : [];
    });
  });
}

const listeners = processes.flatMap(listenersOf);

test("every process of the cluster listens on loopback and nowhere else", () => {
  for (const { process, address, port } of listeners)
    expect({ process, port, address }).toMatchObject({ address: LOOPBACK });
  // None was overlooked.
  for (const { name } of processes) expect(listeners.map(({ process }) => process)).toContain(name);
  const ports = listeners.map(({ port }) => port);
  for (const { port } of vtgates) expect(ports).toContain(port);
  for (const { mysqlPort, httpPort } of tablets) expect(ports).toEqual(expect.arrayContaining([mysqlPort, httpPort]));
});

/** How a login fails, or who is let in. */
async function login(options: { port?: number; socketPath?: string; user?: string; password?: string }) {
  try {
    const connection = await createConnection({ host: "127.0.0.1", ...options });
    const [rows] = await connection.query<RowDataPacket[]>("SHOW GRANTS").catch(() => [[]]);
    connection.destroy();
    return rows.map((row) => String(Object.values(row)[0]));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe.each(vtgates.map((vtgate) => [vtgate.name, vtgate] as const))("%s", (name, vtgate) => {
  test("takes the cluster's user with its password, over TCP and over its socket, and nobody else", async () => {
    const { port, socket, user, password } = vtgate;
    for (const way of [{ port }, { socketPath: socket }]) {
      for (const credentials of [
        {},
        { user },
        { user, password: "" },
        { user, password: "wrong" },
        { user, password: password.slice(1) },
        { user: "root" },
        { user: "vt_dba" },
        { user: "vt_app" },
      ]) {
        expect(await login({ ...way, ...credentials })).toBe("ER_ACCESS_DENIED_ERROR");
      }
      expect(await login({ ...way, user, password })).toBeArray();
    }
    expect(password.length).toBeGreaterThanOrEqual(24);
  });

  test("takes no queries over gRPC, which would ask for no password", async () => {
    const ports = listeners.filter(({ process, port }) => process === name && port !== vtgate.port);
    const answers = await Promise.all(ports.map(({ port }) => callGrpc(port, "/vtgateservice.Vitess/Execute")));
    // One is that of its pages, where gRPC is not spoken.
    expect(answers.toSorted()).toEqual(["12", "none"]);
  });
});

/** The status of a gRPC call without a message, 12 for a method that is not there; "none" where gRPC is not spoken. */
function callGrpc(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const end = (status: string) => {
      session.destroy();
      resolve(status);
    };
    session.on("error", () => end("none"));
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request(headers);
    const onHeaders = (headers: Record<string, unknown>) => {
      if (headers["grpc-status"] !== undefined) end(String(headers["grpc-status"]));
    };
    stream.on("response", onHeaders).on("trailers", onHeaders);
    stream.on("error", () => end("none"));
    // No message at all, in a frame of five bytes.
    stream.end(Buffer.alloc(5));
  });
}

describe("a tablet's MySQL server", () => {
  /** What mysqlctl makes; none has a password. */
  const USERS = ["root", "vt_dba", "vt_app", "vt_appdebug", "vt_allprivs", "vt_filtered", "vt_monitoring", "mysql.sys"];

  test("lets no user in over TCP but the one that replicas come as, who may do nothing else", async () => {
    for (const { mysqlPort: port } of tablets) {
      for (const user of [...USERS, "kv", ""]) {
        for (const password of ["", "wrong", vtgates[0].password]) {
          expect([user, await login({ port, user, password })]).toEqual([user, "ER_ACCESS_DENIED_ERROR"]);
        }
      }
      expect(await login({ port, user: "vt_repl" })).toEqual(["GRANT REPLICATION SLAVE ON *.* TO `vt_repl`@`%`"]);
      expect(await login({ port, user: "vt_repl", password: "wrong" })).toBe("ER_ACCESS_DENIED_ERROR");
    }
  });

  test("has no other way in: no X protocol, no port for administrators", async () => {
    for (const { mysqlSocket: socketPath } of tablets) {
      const connection = await createConnection({ socketPath, user: "vt_dba" });
      const [plugins] = await connection.query(
        "SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'mysqlx' AND plugin_status = 'ACTIVE'",
      );
      const [[variables]] = await connection.query<RowDataPacket[]>(
        "SELECT @@admin_address AS admin, @@bind_address AS bind",
      );
      connection.destroy();
      expect([plugins, variables]).toEqual([[], { admin: null, bind: "127.0.0.1" }] as never);
    }
  });
});

test("other users of the machine can't read its data, its passwords, or enter a folder with a MySQL server's socket", () => {
  const mode = (path: string) => statSync(path).mode & 0o777;
  for (const file of ["cluster.json", "vtgate-users.json"]) expect(mode(join(dataDir, file))).toBe(0o600);
  expect(mode(join(dataDir, "etcd"))).toBe(0o700);
  for (const { mysqlSocket } of tablets) expect(mode(join(mysqlSocket, "..")) & 0o007).toBe(0);
});
