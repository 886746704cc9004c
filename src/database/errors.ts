// What an error of the database means to a caller: whether a write surely did not happen, may have happened,
// or can never happen. This is the only file that reads MySQL's and Vitess's error codes and messages.

import { StoreError } from "../store/error.ts";
import type { Backend } from "./backend.ts";

/** How far a statement got when it failed; a packet is uncommitted until its last statement, which commits it. */
type Phase = "connecting" | "uncommitted" | "sent";

/** What failed, and of what. */
export interface Failed {
  phase: Phase;
  /** Whether the statement could change anything. */
  writes: boolean;
  /** What it was sent to, as far as that is known. */
  backend?: Backend;
}

/** What is read of a mysql2 error. Its own message can quote the statement, so it is matched but never kept. */
interface DriverError {
  code?: string;
  errno?: number;
  sqlState?: string;
  message?: string;
}

/** MySQL or vtgate refused before anything was changed, or rolled the statement back, for a reason that passes. */
const NOT_APPLIED = new Set([
  1040, // too many connections
  1041, // out of resources; vttablet's throttler too
  1114, // no room for the table to grow, on a full disk: InnoDB rolls the statement back
  1203, // too many connections of this user; vttablet's pools too
  1205, // lock wait timeout: the statement is rolled back
  1213, // deadlock: the statement is rolled back
  1226, // a resource limit of this user
  1290, // read-only, as every replica is: the primary has moved
  1792, // read-only transaction
  1836, // read-only mode
  2002, // vttablet could not connect to its mysqld
  2003, // the same, over TCP
  3101, // Group Replication found another member's change of the row: rolled back, everywhere
  4031, // the server had closed the session, which was idle, before it read the statement
  9005, // ProxySQL: the session is bound to other servers than the statement is for
  9006, // the same
]);

/**
 * What can't be told: Group Replication's 3100, a hook that failed, because the transaction may have gone to the group
 * before; ProxySQL's 9001 and 9002, no connection, because it may have sent the statement before over another.
 */

/** The statement is refused before anything is executed, now and later. */
const REFUSED = new Set([
  1153, // larger than max_allowed_packet: MySQL reads no more than its length. vtgate: larger than a gRPC message
  1665, // binlog_format=STATEMENT, with READ COMMITTED
  3098, // Group Replication: the table has no primary key, or is not InnoDB's
  9003, // ProxySQL: the command is not supported
]);

/** vtgate's own words before it looks at a statement. mysqld has the same for one that it has broken off. */
const VTGATE_STOPS = { errno: 1053, message: "Server shutdown in progress" };

/** Sessions that are of no use any more although their server lives. */
const LOST_SESSIONS = new Set([4031, 9005, 9006]);

/** The statement itself is wrong: unknown table or column, denied, malformed, out of range, a key that is there. */
const REFUSED_SQL_STATES = new Set(["42000", "42S02", "42S22", "22001", "22003", "22007", "23000", "28000"]);

/**
 * vtgate gives most failures of its own as error 1105 with a text. These mean that no tablet has executed the
 * statement, provided that vtgate makes one attempt only (`--retry-count=0`): else they tell of the last.
 */
const NOT_EXECUTED_TEXTS = [
  // vtgate/tabletgateway.go and vterrors: no tablet to send it to
  "no healthy tablet available",
  "inconsistent state detected, primary is serving",
  "no available connection",
  "connect: connection refused",
  // vtgate/buffer: a failover or a resharding is under way
  "primary is not serving",
  "current keyspace is being resharded",
  "destination shard is missing after a resharding operation",
  "primary buffer is full",
  "buffer full: request evicted",
  "context was canceled before failover finished",
  // mysql2: the connection was gone before
  "Can't add new command when connection is in closed state",
  // vtgate: the map of shards that grouped the rows is stale; what it has begun in several shards it has undone
  "multi-db transaction attempted",
  "does not exactly match shards",
  // vttablet: not in a state to take it, or not the one meant
  "operation not allowed in state",
  "wrong tablet type",
  "enforce denied tables",
  "disallowed due to rule",
  // vtgate: its session waits for a ROLLBACK, see `keepsSession`
  "previous transaction failed",
  // vttablet: no connection to mysqld was free
  "connection pool timed out",
  "resource pool timed out",
  "connection limit exceeded",
  "waiter cap",
  // MySQL through vttablet: a replica
  "super-read-only option",
  "read-only option",
];

/** A server that has become a replica; a new connection may find the primary. */
const READ_ONLY_ERRORS = new Set([1290, 1792, 1836]);

/**
 * vtgate could not undo, in one shard, what it had begun of a write to several, for the shard's tablet was gone. From
 * then on it refuses every statement of the session, whose end has the rest undone.
 */
const NEEDS_ROLLBACK_TEXTS = ["issue ROLLBACK and retry the transaction", "previous transaction failed"];

/** vtgate's own words for a statement that it can't read, which come without a state of their own. */
const SYNTAX_ERROR_TEXT = "syntax error at position";

/** Turns whatever a query threw into a StoreError. */
export function storeError(error: unknown, { phase, writes, backend }: Failed): StoreError {
  if (error instanceof StoreError) return error;
  const { code = "", errno = 0, sqlState = "", message = "" } = error as DriverError;
  const reason = [code || (error as Error).name, sqlState].filter(Boolean).join(" ");
  if (message === "Queue limit reached.") return new StoreError("overloaded", "connection queue is full");
  const isStopping = backend === "vitess" && errno === VTGATE_STOPS.errno && message === VTGATE_STOPS.message;
  const passes = isStopping || NOT_APPLIED.has(errno) || isTransientText(message);
  if (passes) return new StoreError("unavailable", reason);
  if (REFUSED.has(errno) || REFUSED_SQL_STATES.has(sqlState) || message.startsWith(SYNTAX_ERROR_TEXT))
    return new StoreError("internal", reason);
  const harmless = phase !== "sent" || !writes;
  return new StoreError(harmless ? "unavailable" : "outcome_unknown", reason);
}

/** Whether the session in which it came can take another statement: after an answer from a server that will serve it. */
export function keepsSession(error: unknown): boolean {
  const { sqlState, errno = 0, message = "" } = error as DriverError;
  // Class 08 is about the connection itself, as when its server shuts down.
  if (!sqlState || sqlState.startsWith("08") || READ_ONLY_ERRORS.has(errno) || LOST_SESSIONS.has(errno)) return false;
  return !NEEDS_ROLLBACK_TEXTS.some((text) => message.includes(text));
}

/** Whether the server takes no writes at all. */
export function isReadOnly(error: unknown): boolean {
  return READ_ONLY_ERRORS.has((error as DriverError).errno ?? 0);
}

function isTransientText(message: string): boolean {
  return NOT_EXECUTED_TEXTS.some((text) => message.includes(text));
}
