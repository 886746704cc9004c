// Every kind of call on one key: its words, the keys it is made on, and which answers are right.

export interface Kind {
  name: string;
  method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** Behind the key. */
  suffix?: string;
  /** Whole lines. */
  headers?: string;
  /** Whether it has an If-Match with the tag that its key had last. */
  ifMatch?: true;
  /** A value, or a TTL that is longer than any before. */
  body?: "value" | "ttl";
  /**
   * What becomes of its keys: `standing` ones are there, whatever is done to them; `spent` ones are there for one call
   * each; `new` ones are not there.
   */
  keys: "standing" | "spent" | "new";
  /** Whether they have a TTL before the call. */
  expiring?: true;
  /** The one right answer on such keys. */
  right: number;
  /** What else is right where calls of all kinds come to a key. */
  mixed: number[];
}

export const GET: Kind = { name: "GET", method: "GET", keys: "standing", right: 200, mixed: [404] };
export const PUT: Kind = { name: "PUT", method: "PUT", body: "value", keys: "standing", right: 204, mixed: [] };
export const HEAD: Kind = { name: "HEAD", method: "HEAD", keys: "standing", right: 200, mixed: [404] };
export const GET_TTL: Kind = { ...GET, name: "GET ttl", suffix: "/ttl" };
export const DELETE: Kind = { name: "DELETE", method: "DELETE", keys: "spent", right: 204, mixed: [] };
const CREATE: Kind = { ...PUT, headers: "If-None-Match: *\r\n", mixed: [204, 412] };
export const CREATE_NEW: Kind = { ...CREATE, name: "PUT create-only, new keys", keys: "new" };
export const CREATE_TAKEN: Kind = { ...CREATE, name: "PUT create-only, taken keys", right: 412 };
export const IF_MATCH: Kind = { ...PUT, name: "PUT If-Match", ifMatch: true, mixed: [412] };
export const KEEP_TTL: Kind = { ...PUT, name: "PUT keep_ttl", suffix: "?keep_ttl=true" };
export const TTL_PLAIN: Kind = { ...PUT, name: "PUT ttl", suffix: "/ttl", body: "ttl", right: 200, mixed: [404] };
export const TTL_GT: Kind = {
  ...TTL_PLAIN,
  name: "PUT ttl, if=gt",
  suffix: "/ttl?if=gt",
  expiring: true,
  mixed: [404, 412],
};
export const PERSIST: Kind = { ...DELETE, name: "DELETE ttl", suffix: "/ttl", expiring: true, mixed: [404] };
export const DELETE_IF_MATCH: Kind = { ...DELETE, name: "DELETE If-Match", ifMatch: true, mixed: [412] };

export const KINDS: Kind[] = [
  ...[GET, HEAD, GET_TTL],
  ...[PUT, DELETE, CREATE_NEW, CREATE_TAKEN, IF_MATCH, KEEP_TTL, TTL_PLAIN, TTL_GT, PERSIST, DELETE_IF_MATCH],
];

/** In equal shares: as all come to the same keys, create-only finds both new ones and taken ones. */
export const MIXED: Kind[] = KINDS.filter((kind) => kind !== CREATE_NEW).map((kind) =>
  kind === CREATE_TAKEN ? { ...kind, name: "PUT create-only" } : kind,
);

export function isRead({ method }: Kind): boolean {
  return method === "GET" || method === "HEAD";
}
