// What primaries say of their terms, and what answers tell of them.

import type { EntryKey } from "../store/store.ts";
import type { Revision } from "../store/version.ts";
import type { Rows, Written } from "./connect.ts";
import type { Statement } from "./statements.ts";
import { OTHERS, TAG, type Tag } from "./tag.ts";

/** What a primary says of its term. */
export interface TermFacts {
  tag: Tag;
  /** The primary's server_uuid, and the GTID set of what it has executed of others. */
  server: string;
  others: string;
  /** What the last change of primaries was, as Vitess keeps a journal of them, and the GTID set with which it came. */
  change: { action: string; position: string } | null;
  /** The entry that was asked for: its value and its row's revision. */
  mark: Buffer | null;
  markRevision: Revision | null;
}

const FACTS = `SELECT ${TAG} AS tag, @@server_uuid AS server, ${OTHERS} AS others, changed.action_name AS action, changed.replication_position AS position, marked.value AS mark, marked.version AS mark_version FROM (SELECT 1) AS one LEFT JOIN entries AS marked ON marked.\`key\` = ? LEFT JOIN (SELECT action_name, replication_position FROM _vt.reparent_journal ORDER BY time_created_ns DESC LIMIT 1) AS changed ON TRUE`;

/** The mark in a row without a tag, if there is one, because that is what leads vtgate to the shard. */
const FACTS_BY_KEY = `SELECT value AS mark, version AS mark_version, NULL AS tag, NULL AS server, NULL AS others FROM entries WHERE \`key\` = ? UNION ALL SELECT NULL, NULL, ${TAG}, @@server_uuid, ${OTHERS}`;

/** Of the shard that the session is addressed to. */
export function selectTermFacts(mark: EntryKey): Statement {
  return { name: "look_at_term", sql: FACTS, params: [mark], writes: false };
}

/** Of the shard that the mark is in, wherever the session leads. There it can't be told how the primaries changed. */
export function selectTermFactsByKey(mark: EntryKey): Statement {
  return { name: "look_at_term", sql: FACTS_BY_KEY, params: [mark], writes: false };
}

export function termFactsIn(rows: Rows): TermFacts {
  const { tag, server, others, action, position } = rows.find((row) => row.tag !== null) as Rows[number];
  const marked = rows.find(({ mark }) => mark !== null);
  return {
    ...{ tag: Number(tag), server: String(server), others: String(others) },
    change: action ? { action: String(action), position: String(position) } : null,
    mark: marked?.mark ?? null,
    markRevision: marked ? (marked.mark_version as Buffer).toString("hex") : null,
  };
}

/** The tags in an answer: one, several where several shards have answered, or none. */
export function tagsIn({ tag }: Statement, answer: unknown): Tag[] {
  if (tag === undefined) return [];
  if (tag === "id") return (answer as Written).insertId > 0 ? [(answer as Written).insertId] : [];
  const rows = (tag === "row" ? answer : (answer as Rows[])[tag]) as Rows;
  const tags: Tag[] = [];
  for (const { id, expires_at } of rows) if (id === null) tags.push(Number(expires_at));
  return tags;
}

/** Whether an answer says that a transaction was committed, which it waited for a replica to have. */
export function isCommit({ writes, tag, proves = writes }: Statement, answer: unknown): boolean {
  if (!writes || !proves) return false;
  const written = typeof tag === "number" ? (answer as Written[])[1] : (answer as Written);
  return (written as Written).affectedRows > 0;
}
