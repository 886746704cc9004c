// What an error means, as a table. The texts are those of Vitess 24 and MySQL 8.4 and 9.

import { expect, test } from "bun:test";
import { keepsSession, storeError } from "./errors.ts";

const vtgate = (text: string) => ({ errno: 1105, sqlState: "HY000", code: "ER_UNKNOWN_ERROR", message: text });
const mysql = (errno: number, sqlState: string, message = "") => ({ errno, sqlState, code: `ER_${errno}`, message });
const socket = (code: string) => ({ code, message: "read" });

test.each([
  ["lock wait timeout", mysql(1205, "HY000"), "unavailable"],
  ["deadlock", mysql(1213, "40001"), "unavailable"],
  ["a full disk", mysql(1114, "HY000", "The table 'entries' is full"), "unavailable"],
  ["too many connections", mysql(1040, "08004"), "unavailable"],
  ["too many connections of a user", mysql(1203, "42000"), "unavailable"],
  ["pool waiters", mysql(1203, "42000", "connection pool waiter cap reached"), "unavailable"],
  ["a demoted primary", mysql(1290, "HY000"), "unavailable"],
  ["no primary", vtgate("target: kv.-80.primary: no healthy tablet available for 'keyspace:\"kv\"'"), "unavailable"],
  [
    "a failover",
    vtgate("target: kv.-80.primary: primary is not serving, there may be a reparent operation"),
    "unavailable",
  ],
  ["a tablet that stops", vtgate("vttablet: rpc error: operation not allowed in state SHUTTING_DOWN"), "unavailable"],
  ["a tablet that is down", vtgate("transport: dial tcp 127.0.0.1:1: connect: connection refused"), "unavailable"],
  ["a resharding", vtgate("current keyspace is being resharded"), "unavailable"],
  [
    "a session that waits for a ROLLBACK",
    vtgate("VT09032: previous transaction failed. Issue a ROLLBACK"),
    "unavailable",
  ],
  ["rows of several shards", vtgate("multi-db transaction attempted: [...]"), "unavailable"],
  [
    "a result too large",
    mysql(1153, "42000", "grpc: trying to send message larger than max (83886415 vs. 67108864)"),
    "internal",
  ],
  ["no such table", mysql(1146, "42S02"), "internal"],
  ["a syntax error", mysql(1064, "42000"), "internal"],
  ["a value too long", mysql(1406, "22001"), "internal"],
  [
    "a tablet that went away",
    vtgate("rpc error: code = Unavailable desc = error reading from server: EOF"),
    "outcome_unknown",
  ],
  ["a mysqld that went away", mysql(2013, "HY000", "Lost connection to MySQL server during query"), "outcome_unknown"],
  ["a statement that was killed", mysql(1317, "70100"), "outcome_unknown"],
  ["a vtgate that went away", socket("PROTOCOL_CONNECTION_LOST"), "outcome_unknown"],
  ["a reset connection", socket("ECONNRESET"), "outcome_unknown"],
  ["no answer in time", socket("PROTOCOL_SEQUENCE_TIMEOUT"), "outcome_unknown"],
  ["what nobody has seen before", vtgate("something new"), "outcome_unknown"],
] as const)("%s", (_, error, code) => {
  expect(storeError(error, "sent", true).code).toBe(code);
  // A read can be asked again, and a statement that was never sent has done nothing.
  const harmless = code === "outcome_unknown" ? "unavailable" : code;
  expect(storeError(error, "sent", false).code).toBe(harmless);
  expect(storeError(error, "connecting", true).code).toBe(harmless);
  expect(storeError(error, "sent", true).message).not.toContain(error.message || "nothing");
});

test.each([
  ["a lock wait timeout", mysql(1205, "HY000"), true],
  ["a resharding", vtgate("current keyspace is being resharded"), true],
  ["a demoted primary", mysql(1290, "HY000"), false],
  ["a lost connection", socket("ECONNRESET"), false],
  [
    "what could not be undone",
    vtgate("VT15001: transaction error, issue ROLLBACK and retry the transaction: …"),
    false,
  ],
  ["what was refused for that", vtgate("VT09032: previous transaction failed. Issue a ROLLBACK"), false],
])("after %s: is the session of use?", (_, error, expected) => {
  expect(keepsSession(error)).toBe(expected);
});
