// Every bound of the store, each with its reason. What an operator may change is in config.ts.

/** A namespace is a word that needs no escaping in a URL, a log or a metric. */
export const NAMESPACE_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
export const NAMESPACE_BYTES = 64;

/** With its namespace and a slash a key fits InnoDB's index (3,072 bytes) five times over. */
export const KEY_BYTES = 512;

/** Fits the column; longer media types do not occur. */
export const CONTENT_TYPE_BYTES = 255;

/** What Cloudflare KV allows. */
export const METADATA_BYTES = 1024;

/** The most that KV_MAX_VALUE_BYTES may be: as a hex literal it doubles, and a gRPC message must hold it. */
export const VALUE_BYTES_CEILING = 8 * 1024 * 1024;

/** Expiry further away than this is a mistake in units. */
export const TTL_MS = 36_525 * 24 * 3600 * 1000;

/** A TTL request is a few dozen bytes of JSON. */
export const TTL_BODY_BYTES = 1024;

/** So is one for an increment. */
export const INCREMENT_BODY_BYTES = 1024;

/** Operations of a batch, and bytes of its body, and of the values that it reads. */
export const BATCH_OPERATIONS = 1_000;
export const BATCH_BODY_BYTES = 8 * 1024 * 1024;

/** Values that the reads of a batch may hold in memory while it is not known how large they are. */
export const BATCH_HELD_BYTES = 128 * 1024 * 1024;

/** Entries of a page of a listing, and keys deleted at once. */
export const LIST_ENTRIES = 1_000;

/** Values of a page of a listing: base64 makes them a third larger, and a page is held in memory as a whole. */
export const LIST_VALUE_BYTES = 8 * 1024 * 1024;

/** Entity tags accepted in one If-Match or If-None-Match. */
export const ETAGS = 32;

/** A statement doubles it, as hex literals, and must fit a gRPC message of 16 MiB, Vitess's default. */
export const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Values that a statement for many keys may return; each key has an equal share, and what is larger is read with fewer
 * others. It must fit a gRPC message as well, and the memory of every server on the way.
 */
export const BATCH_READ_BYTES = 8 * 1024 * 1024;

/** Keys of a statement where there are no lanes: all of them come with one request. */
export const DIRECT_READ_ROWS = 500;

/** Keys of a statement for values that are larger than their share of a full one. */
export const LARGE_BATCH_ROWS = 8;

/** Tokens that are valid at once. A service has two while one replaces the other; more than these are a mistake. */
export const TOKENS = 10_000;

/** That many tokens with their comments and a few namespaces each. */
export const TOKENS_FILE_BYTES = 4 * 1024 * 1024;

/** Values that are packed with a dictionary, which makes little difference to larger ones. Rows rely on it: it can only grow. */
export const DICTIONARY_VALUE_BYTES = 16 * 1024;
