// The one table: one row per key. drizzle-kit makes the migrations from it.

import { sql } from "drizzle-orm";
import { bigint, customType, index, int, mysqlTable, varchar } from "drizzle-orm/mysql-core";
import { CONTENT_TYPE_BYTES, KEY_BYTES, METADATA_BYTES, NAMESPACE_BYTES } from "../limits.ts";
import { REVISION_BYTES } from "../store/version.ts";

// Drizzle's own varbinary goes through strings, which corrupts bytes, and it has no BLOB.
const varbinary = customType<{ data: Buffer; config: { length: number }; configRequired: true }>({
  dataType: ({ length }) => `varbinary(${length})`,
});
const binary = customType<{ data: Buffer; config: { length: number }; configRequired: true }>({
  dataType: ({ length }) => `binary(${length})`,
});
const mediumblob = customType<{ data: Buffer }>({ dataType: () => "mediumblob" });

export const entries = mysqlTable(
  "entries",
  {
    /** `namespace/key`; Vitess shards by its xxhash. */
    key: varbinary("key", { length: NAMESPACE_BYTES + 1 + KEY_BYTES }).primaryKey(),
    /** New with every change of the row: see `store/version.ts`. */
    version: binary("version", { length: REVISION_BYTES }).notNull(),
    /** Epoch milliseconds by the clock of the shard's primary; NULL never expires. */
    expiresAt: bigint("expires_at", { mode: "number" }),
    contentType: varchar("content_type", { length: CONTENT_TYPE_BYTES }).notNull(),
    metadata: varchar("metadata", { length: METADATA_BYTES }),
    value: mediumblob("value").notNull(),
    /** So that lists and HEAD need not read a value that has pages of its own. */
    valueBytes: int("value_bytes", { unsigned: true }).generatedAlwaysAs(sql`LENGTH(value)`, { mode: "stored" }),
  },
  (table) => [index("entries_expires_at").on(table.expiresAt)],
);
