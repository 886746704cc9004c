// What an error means, as a table. The texts are those of Vitess 24, MySQL 8.4 and 9, and ProxySQL 2 and 3; where a row
// does not follow from its text it says which source it was read in.

import { expect, test } from "bun:test";
import type { StoreErrorCode } from "../store/error.ts";
import type { Backend } from "./backend.ts";
import { keepsSession, storeError } from "./errors.ts";

const vtgate = (text: string) => ({ errno: 1105, sqlState: "HY000", code: "ER_UNKNOWN_ERROR", message: text });
const mysql = (errno: number, sqlState: string, message = "") => ({ errno, sqlState, code: `ER_${errno}`, message });
const socket = (code: string) => ({ code, message: "read" });

const ROWS: [string, { code: string; message: string }, StoreErrorCode, Backend?][] = [
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
  // vtgate/plugin_mysql_server.go, ComQuery and ComQueryMulti: before they look at a statement outside a transaction
  ["a vtgate that stops", mysql(1053, "08S01", "Server shutdown in progress"), "unavailable", "vitess"],
  // sql/sql_class.cc, send_kill_message: whatever the statement was at, waiting for a replica perhaps
  ["a mysqld that stops", mysql(1053, "08S01", "Server shutdown in progress"), "outcome_unknown", "mysql"],
  ["one of either that stops", mysql(1053, "08S01", "Server shutdown in progress"), "outcome_unknown"],
  [
    "a mysqld that stops behind vttablet",
    mysql(1053, "08S01", "target: kv.-80.primary: vttablet: Server shutdown in progress (errno 1053) (sqlstate 08S01)"),
    "outcome_unknown",
    "vitess",
  ],
  // sql-common/net_serv.cc, net_read_packet: the length is read, and then the connection is closed
  ["a packet too large", mysql(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes"), "internal"],
  // sql/binlog.cc, THD::decide_logging_format: before the statement is executed
  [
    "binlog_format=STATEMENT",
    mysql(1665, "HY000", "Cannot execute statement: impossible to write to binary log"),
    "internal",
  ],
  // sql/sql_connect.cc and conn_handler: the session's end was sent while it was idle, and its socket closed
  ["an idle session that the server has closed", mysql(4031, "HY000"), "unavailable"],
  ["a read-only mode", mysql(1836, "HY000"), "unavailable"],
  ["a read-only transaction", mysql(1792, "25006"), "unavailable"],
  // Group Replication. sql/rpl_handler.cc, before_dml; sql/binlog.cc, MYSQL_BIN_LOG::commit: rolled back once the group
  // has found a conflict. 3100 is a hook that failed: the transaction may have been sent to the group before.
  ["a table unfit for a group", mysql(3098, "HY000"), "internal"],
  ["a conflict within a group", mysql(3101, "40000"), "unavailable"],
  [
    "a group that is lost while it decides",
    mysql(3100, "HY000", "Error on observer while running replication hook 'before_commit'."),
    "outcome_unknown",
  ],
  // ProxySQL, lib/MySQL_Session.cpp. 9005 and 9006 before anything is sent. 9001 and 9002 while it connects, which
  // handler_minus1_ClientLibraryError does again after a statement was sent and its server lost.
  [
    "a proxy without a server",
    mysql(9001, "HY000", "Max connect timeout reached while reaching hostgroup 0"),
    "outcome_unknown",
  ],
  [
    "a proxy that can't connect",
    mysql(9002, "HY000", "Max connect failure while reaching hostgroup 0"),
    "outcome_unknown",
  ],
  ["a proxy that refuses a command", mysql(9003, "28000", "Command not supported"), "internal"],
  [
    "a proxy's session bound elsewhere",
    mysql(9005, "HY000", "Session trying to reach HG 1 while locked on HG 0"),
    "unavailable",
  ],
  [
    "the same in other words",
    mysql(9006, "Y0000", "ProxySQL Error: connection is locked to hostgroup 0 but trying to reach hostgroup 1"),
    "unavailable",
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
];

// As long as one another: with a shorter one it would be taken for a test that calls back.
test.each(ROWS.map(([what, error, code, backend = null]) => [what, error, code, backend] as const))(
  "%s",
  (_, error, code, known) => {
    const backend = known ?? undefined;
    expect(storeError(error, { phase: "sent", writes: true, backend }).code).toBe(code);
    // A read can be asked again, and a statement that was never sent has done nothing.
    const harmless = code === "outcome_unknown" ? "unavailable" : code;
    expect(storeError(error, { phase: "sent", writes: false, backend }).code).toBe(harmless);
    expect(storeError(error, { phase: "connecting", writes: true, backend }).code).toBe(harmless);
    expect(storeError(error, { phase: "sent", writes: true, backend }).message).not.toContain(
      error.message || "nothing",
    );
  },
);

test.each([
  ["a lock wait timeout", mysql(1205, "HY000"), true],
  ["a resharding", vtgate("current keyspace is being resharded"), true],
  ["a demoted primary", mysql(1290, "HY000"), false],
  ["a lost connection", socket("ECONNRESET"), false],
  ["a server that stops", mysql(1053, "08S01"), false],
  ["a packet too large", mysql(1153, "08S01"), false],
  ["an idle session that was closed", mysql(4031, "HY000"), false],
  ["a proxy's session bound elsewhere", mysql(9006, "Y0000"), false],
  [
    "what could not be undone",
    vtgate("VT15001: transaction error, issue ROLLBACK and retry the transaction: …"),
    false,
  ],
  ["what was refused for that", vtgate("VT09032: previous transaction failed. Issue a ROLLBACK"), false],
])("after %s: is the session of use?", (_, error, expected) => {
  expect(keepsSession(error)).toBe(expected);
});
