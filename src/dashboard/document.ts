// What the page is told as JSON: types only, for the server and for the page. Times are epoch milliseconds.

/** Calls between two readings; null where nothing happened that has such a number. */
export interface Numbers {
  callsPerSecond: number;
  failedPerSecond: number;
  refusedPerSecond: number;
  /** Half of the calls took no longer, by the histogram of /metrics. */
  p50Ms: number | null;
  p99Ms: number | null;
  rowsPerBatch: number | null;
  callsPerBatch: number | null;
}

/** Counters since the servers began, as /metrics has them. */
export interface Counted {
  calls: number;
  /** Calls that ended neither well nor with a refusal. */
  failed: number;
  refused: number;
  batches: number;
  rows: number;
  batchedCalls: number;
}

/** The end of a stretch of ten seconds. */
export type Point = Numbers & { time: number };

export interface HistoryDocument {
  points: readonly Point[];
}

export interface TabletState {
  alias: string;
  type: "primary" | "replica";
  serving: boolean;
  lagSeconds: number | null;
  /** RFC 3339; of a primary. */
  primarySince: string | null;
}

export interface ShardState {
  /** Empty for the only one of a plain MySQL. */
  name: string;
  /** False while it is being filled, or once others have taken its place. */
  serves: boolean;
  /** Null where nobody tells of any: vtgate does not answer, or there is none. */
  tablets: TabletState[] | null;
  /** Null while its primary does not tell. */
  size: { rows: number; bytes: number } | null;
  statementsPerSecond: number | null;
  /** Null where its sweep is not known. */
  sweep: { holder: string; oldestAgeMs: number; backlogRows: number } | null;
  /** Changes of the schema that are not over. */
  migrations: { status: string; progress: number }[];
}

export interface StateDocument {
  time: number;
  database: { answers: boolean; kind: "vitess" | "mysql" };
  /** That these numbers are of. */
  processes: number | null;
  /** Null until there are two readings. */
  now: Numbers | null;
  totals: Counted;
  /** Null where nothing waits for others. */
  waiting: { calls: number; callsLimit: number; bytes: number; bytesLimit: number } | null;
  /** Those that serve; of very many only the first are in `shards`. */
  shardsCount: number;
  shards: ShardState[];
}
