// How an answer tells which primary gave it, and in which of its terms: as text of SQL. What that is good for is said in
// `../terms/terms.ts`.
//
// A term is one mysqld's being the primary, from its promotion on. What it has executed of others' transactions is constant
// in it, because a primary replicates from nobody, and differs from that of its other terms if anything was acknowledged in
// between. A tag is a number of 52 bits: 32 of a hash of the term, and 20 of when the mysqld was started. A statement has it
// where it costs no round trip: in a row without a key, or in place of the last inserted id.

/** Where an answer has its tag: in a row, in the rows that the statement of a packet with this number gives, or as an id. */
export type TagPlace = "row" | "id" | number;

/** A number of a primary's term, and of when its mysqld was started. */
export type Tag = number;

export const START_BITS = 20;
/** What the server's own transactions can be, as a part of a GTID set. */
const OWN = "CONCAT(@@server_uuid, ':1-9223372036854775806')";
/** What it has executed of others' transactions, as a GTID set. */
export const OTHERS = `GTID_SUBTRACT(@@GLOBAL.gtid_executed, ${OWN})`;
/** UUID_SHORT begins with the second in which the server was started; each call counts in the bits below. */
const STARTED = `(UUID_SHORT() >> 24) & ${2 ** START_BITS - 1}`;

/** Signed, like the column that it is in where rows have it. */
export const TAG = `CAST(CRC32(CONCAT(@@server_uuid, ${OTHERS})) << ${START_BITS} | ${STARTED} AS SIGNED)`;

/** The tag in place of an id; true. */
export const TAG_AS_ID = `LAST_INSERT_ID(${TAG}) IS NOT NULL`;

/** Whatever the start of its mysqld was. */
export function termOf(tag: Tag): number {
  return Math.floor(tag / 2 ** START_BITS);
}
