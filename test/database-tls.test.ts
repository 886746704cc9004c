// TLS to the database: encrypted and verified by each host's own name, over sockets that fail over, or not connected.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Connection, createConnection } from "mysql2/promise";
import { inspectBackend } from "../src/database/backend.ts";
import { connect, type Rows } from "../src/database/connect.ts";
import { launchServer, startServer } from "../vitess/run/server-process.ts";
import { Processes } from "../vitess/support/processes.ts";
import { Certificates } from "./certificates.ts";
import { SUITE_DIR, WRONG_DIR } from "./folders.ts";
import { type PlainMysql, startPlainMysql } from "./mysqld.ts";
import { wayTo } from "./proxy.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

const PORT = 17912;
const DIR = join(WRONG_DIR, "tls");
const PEM = join(DIR, "pem");
const certificates = new Certificates(PEM);
const CA = certificates.file("ca");
const CIPHER: Parameters<ReturnType<typeof connect>["execute"]>[0] = {
  ...{ name: "cipher", params: [], writes: false },
  sql: "SELECT variable_value AS cipher FROM performance_schema.session_status WHERE variable_name = 'Ssl_cipher'",
};

const over = new AbortController();
let mysql: PlainMysql;
let root: Connection;

/** Has the server show another certificate. */
async function show(name: string) {
  await root.query("SET GLOBAL ssl_ca = ?, ssl_cert = ?, ssl_key = ?", [
    CA,
    certificates.file(name),
    certificates.keyFile(name),
  ]);
  await root.query("ALTER INSTANCE RELOAD TLS");
}

beforeAll(async () => {
  rmSync(DIR, { recursive: true, force: true });
  mkdirSync(PEM, { recursive: true });
  await Promise.all([certificates.makeAuthority("ca"), certificates.makeAuthority("other-ca")]);
  await certificates.make("localhost", "DNS:localhost");
  await certificates.make("address", "IP:127.0.0.1");
  await certificates.make("elsewhere", "DNS:db.example");
  await certificates.make("client", "DNS:client");
  mysql = await startPlainMysql(DIR, PORT, over.signal);
  root = await createConnection({ socketPath: mysql.socket, user: "root", multipleStatements: true });
  await root.query("GRANT SELECT ON performance_schema.* TO kv@'127.0.0.1'");
  await root.query("SET GLOBAL require_secure_transport = ON");
}, 120_000);
afterAll(async () => {
  over.abort();
  root?.destroy();
  await mysql?.stop();
  rmSync(DIR, { recursive: true, force: true });
});

/** The cipher of a pool's connection; empty for none. */
async function cipherOf(url: string): Promise<string> {
  const database = connect({ url, backend: "mysql", connections: 1, queueLimit: 10 });
  try {
    const [row] = await database.execute<Rows>(CIPHER, 5_000);
    return String(row?.cipher);
  } finally {
    await database.close();
  }
}

const urlOf = (host: string, query: string, port: number | string = PORT) =>
  `mysql://kv:kv@${host}:${port}/kv?${query}`;
const VERIFIED = `ssl-mode=REQUIRED&ssl-ca=${CA}`;

describe("a server that takes nothing else", () => {
  test("serves, with a CA in the URL, in a variable, or as PlanetScale writes it", async () => {
    await show("localhost");
    for (const environment of [
      { DATABASE_URL: urlOf("localhost", `ssl-ca=${CA}`) },
      { DATABASE_URL: urlOf("localhost", "sslaccept=strict"), KV_DATABASE_CA: CA },
      { DATABASE_URL: urlOf("localhost", 'ssl={"rejectUnauthorized":true}'), NODE_EXTRA_CA_CERTS: CA },
    ] as Record<string, string>[]) {
      const server = await startServer(environment);
      try {
        const url = freshKeyUrl(server.url);
        expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
        expect(await (await call(url)).text()).toBe("v");
      } finally {
        await server.stop();
      }
    }
  });

  test.each([
    ["plain text", "localhost", "", "localhost", /in plain text; set ssl-mode=REQUIRED in DATABASE_URL/],
    ["a server that nobody vouches for", "localhost", "ssl-mode=REQUIRED", "localhost", /certificate/],
    ["another authority", "localhost", `ssl-ca=${PEM}/other-ca.pem`, "localhost", /certificate|signature/],
    ["another name", "localhost", VERIFIED, "elsewhere", /does not match/],
    ["a name in place of an address", "127.0.0.1", VERIFIED, "localhost", /does not match/],
    ["an address in place of a name", "localhost", VERIFIED, "address", /does not match/],
    ["a file that is not there", "localhost", "ssl-ca=/nowhere/ca.pem", "localhost", /nowhere.*ENOENT/],
    ["a mode between", "localhost", "ssl-mode=PREFERRED", "localhost", /DATABASE_URL: has ssl-mode/],
  ])("%s is refused at the start", async (_, host, query, certificate, sentence) => {
    await show(certificate);
    const { output, exited } = launchServer({ DATABASE_URL: urlOf(host, query), PORT: "0" });
    expect(await exited).toBe(1);
    expect(output()).toMatch(sentence);
    expect(output()).not.toMatch(/\n\s+at /);
  });

  test("an address is verified as well as a name", async () => {
    await show("address");
    expect(await cipherOf(urlOf("127.0.0.1", VERIFIED))).toMatch(/^TLS_/);
  });

  test("a client shows its own certificate where it is asked for one", async () => {
    await show("localhost");
    await root.query("ALTER USER kv@'127.0.0.1' REQUIRE X509");
    const files = `&ssl-cert=${PEM}/client.pem&ssl-key=${PEM}/client-key.pem`;
    try {
      expect(await cipherOf(urlOf("localhost", VERIFIED + files))).toMatch(/^TLS_/);
      expect(cipherOf(urlOf("localhost", VERIFIED))).rejects.toThrow();
    } finally {
      await root.query("ALTER USER kv@'127.0.0.1' REQUIRE NONE");
    }
  });

  test("each address is verified by its own name, and the next is tried", async () => {
    await show("localhost");
    // The first answers under a name that the certificate does not have, the second not at all.
    const list = [urlOf("127.0.0.1", VERIFIED), urlOf("localhost", VERIFIED, 1), urlOf("localhost", VERIFIED)].join();
    const database = connect({ url: list, backend: "mysql", connections: 6, queueLimit: 100 });
    try {
      const found = await Promise.all(Array.from({ length: 12 }, () => database.execute<Rows>(CIPHER, 5_000)));
      for (const [row] of found) expect(row?.cipher).toMatch(/^TLS_/);
    } finally {
      await database.close();
    }
  });

  test("a connection that breaks is replaced", async () => {
    await show("localhost");
    const way = await wayTo(urlOf("localhost", "", PORT));
    const database = connect({
      ...{ url: urlOf("localhost", VERIFIED, new URL(way.url).port), backend: "mysql", connections: 2, queueLimit: 9 },
    });
    try {
      for (let i = 0; i < 3; i++) {
        const [row] = await database.execute<Rows>(CIPHER, 5_000);
        expect(row?.cipher).toMatch(/^TLS_/);
        for (const socket of way.open) socket.destroy();
        await Bun.sleep(50);
      }
      expect(way.accepted).toBe(3);
    } finally {
      await database.close();
      await way.close();
    }
  });
});

test("without TLS there is none, and a socket on this machine needs none", async () => {
  await root.query("SET GLOBAL require_secure_transport = OFF");
  try {
    expect(await cipherOf(urlOf("127.0.0.1", "ssl-mode=DISABLED"))).toBe("");
  } finally {
    await root.query("SET GLOBAL require_secure_transport = ON");
  }
  await root.query("CREATE USER kv@localhost IDENTIFIED BY 'kv'; GRANT ALL ON kv.* TO kv@localhost");
  const DATABASE_URL = `mysql://kv:kv@localhost:1/kv?socketPath=${mysql.socket}`;
  const server = await startServer({ DATABASE_URL });
  try {
    expect((await call(freshKeyUrl(server.url), { method: "PUT", body: "v" })).status).toBe(204);
  } finally {
    await server.stop();
  }
});

describe("vtgate", () => {
  const NAMES = ["vtgate-a", "vtgate-b"] as const;
  const FIRST_PORT = 17914;
  const processes = new Processes(DIR);
  let databaseUrl: URL;

  const vtgateUrl = (port: number, query: string) => {
    const { username, password, pathname } = databaseUrl;
    return `mysql://${username}:${password}@localhost:${port}${pathname}?${query}`;
  };

  /** Beside those of the cluster, with the same cells and users. */
  beforeAll(async () => {
    const { vtgates } = targets.vitess.status;
    databaseUrl = new URL(targets.vitess.databaseUrl);
    const pid = new Processes(SUITE_DIR).pid(vtgates[0].name);
    const [file = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const own = /^--(port|grpc-port|mysql-server-(port|socket-path|bind-address))=/;
    for (const [i, name] of NAMES.entries()) {
      const port = FIRST_PORT + 2 * i;
      processes.start(name, {
        file,
        args: [
          ...args.filter((arg) => !own.test(arg)),
          ...[`--port=${port + 1}`, `--mysql-server-port=${port}`, "--mysql-server-bind-address=127.0.0.1"],
          ...["--mysql-server-require-secure-transport", `--mysql-server-ssl-cert=${PEM}/localhost.pem`],
          `--mysql-server-ssl-key=${PEM}/localhost-key.pem`,
        ],
      });
    }
    for (const port of [FIRST_PORT, FIRST_PORT + 2]) {
      await until(
        () =>
          inspectBackend(vtgateUrl(port, VERIFIED)).then(
            (found) => found === "vitess",
            () => false,
          ),
        "vtgate",
      );
    }
  }, 60_000);
  afterAll(() => Promise.all(NAMES.map((name) => processes.stop(name, 10_000))));

  test("plain text and another authority are refused at the start", async () => {
    for (const [query, sentence] of [
      ["", /in plain text; set ssl-mode=REQUIRED/],
      [`ssl-ca=${PEM}/other-ca.pem`, /no TLS to the database: .*(certificate|signature)/],
    ] as const) {
      const { output, exited } = launchServer({ DATABASE_URL: vtgateUrl(FIRST_PORT, query), PORT: "0" });
      expect(await exited).toBe(1);
      expect(output()).toMatch(sentence);
    }
  });

  test("one of two stops under load: what it refuses is sent again by the other", async () => {
    const DATABASE_URL = NAMES.map((_, i) => vtgateUrl(FIRST_PORT + 2 * i, "sslmode=require")).join();
    const server = await startServer({ DATABASE_URL, KV_DATABASE_CA: CA, KV_COALESCE: "false", KV_SWEEP: "false" });
    try {
      const seen = new Map<number, number>();
      let isOver = false;
      const client = async () => {
        while (!isOver) {
          const init = { method: "PUT", body: "v", headers: { "If-None-Match": "*" } };
          const { status } = await call(freshKeyUrl(server.url), init);
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }
      };
      const clients = Array.from({ length: 16 }, client);
      await Bun.sleep(1_000);
      await processes.stop(NAMES[0], 20_000);
      await Bun.sleep(500);
      isOver = true;
      await Promise.all(clients);
      expect([...seen.keys()]).toEqual([204]);
    } finally {
      await server.stop();
    }
  });
});
