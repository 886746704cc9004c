// Which servers are good enough, and how large a statement may be; test/wrong-server.test.ts has the real ones.

import { expect, test } from "bun:test";
import { BATCH_BYTES, VALUE_BYTES_CEILING } from "../limits.ts";
import { packetBytes, requireVersion } from "./session.ts";

test.each(["8.0.19", "8.0.36-0ubuntu0.22.04.1", "8.4.6", "9.7.4-2", "10.0.0", "8.0.35-27 Percona"])(
  "%s will do",
  (version) => {
    expect(() => requireVersion(version)).not.toThrow();
  },
);

test.each([
  ["8.0.18", "8.0.18"],
  ["5.7.44-log", "5.7.44-log"],
  ["8.0.11-TiDB-v8.5.0", "TiDB"],
  ["10.11.6-MariaDB-1", "MariaDB (10.11.6-MariaDB-1)"],
  ["5.5.5-10.11.6-MariaDB", "MariaDB (5.5.5-10.11.6-MariaDB)"],
  ["", "MySQL 8.0.19 or later"],
])("%s is refused", (version, name) => {
  expect(() => requireVersion(version)).toThrow(name);
});

test("a packet has room for the largest value and for the largest batch, twice their bytes", () => {
  expect(packetBytes({ valueBytes: VALUE_BYTES_CEILING, rows: 1 })).toBeGreaterThan(2 * VALUE_BYTES_CEILING);
  expect(packetBytes({ valueBytes: 1024, rows: 500 })).toBeGreaterThan(2 * BATCH_BYTES);
});
