// A call in its two forms on the wire, alone and within a batch, and what comes back for it in either.

/** What the server tells of one call: the document of its answer, or what its headers say, in the words of a batch. */
export interface Result {
  /** 0 where no answer came. */
  status: number;
  code?: string;
  detail?: string;
  request_id?: string;
  etag?: string;
  value?: string;
  value_base64?: string;
  /** The value as it came in an answer of its own. */
  body?: Uint8Array<ArrayBuffer>;
  content_type?: string;
  metadata?: unknown;
  bytes?: number;
  expires_at?: string | null;
  ttl_ms?: number | null;
  /** What the whole answer asks for. */
  retryAfterMs?: number;
}

/** A request; its path goes on after the namespace. */
export interface Sending {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

export interface Call extends Sending {
  /** The key, percent-encoded; undefined where the order of calls does not matter. */
  key?: string;
  isWrite: boolean;
  /** Its JSON in a batch; undefined if it has to go alone. */
  item?: string;
  /** Whether a success is a value, or the headers of one. */
  isValue?: boolean;
  /** Whether its caller still waits. */
  isOpen: boolean;
  /** With a result, or else with what to reject with; the first counts. */
  settle: (result?: Result, failure?: unknown) => void;
  /** While it waits: has it look whether it can be sent. */
  wake?: () => void;
  /** Called once it is settled. */
  afterwards: (() => void)[];
}
