// A conversation about one fresh key, as the contract's cases are written down.

export interface Step {
  /** Method, then what follows the key in the URL: `PUT ?ttl=60`, `GET /ttl`. `$name` stands for what was saved before. */
  send: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  gives: number;
  /** `code` of the problem document. */
  code?: string;
  text?: string;
  /** The JSON document, or what looks at it. */
  json?: unknown | ((document: unknown) => void);
  /** What headers must be; null: absent. */
  has?: Record<string, string | RegExp | null>;
  /** Saves a header, the ETag if no other, under this name. */
  save?: string;
  from?: string;
}

export type Cases = Record<string, Step[]>;

export const PUT: Step = { send: "PUT", body: "value", gives: 204 };
export const GET: Step = { send: "GET", gives: 200 };
export const GONE: Step = { send: "GET", gives: 404, code: "not_found" };
export const json = (document: unknown) => JSON.stringify(document);
