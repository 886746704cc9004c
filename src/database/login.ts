// What mysql2 is told of a URL. It never reads the URL itself: it would pass over what it does not know.

import type { ConnectionOptions } from "mysql2";
import { sslOptions } from "./tls.ts";
import { readUrl } from "./url.ts";

/** Throws an error with a sentence where the URL is wrong, or a file that it names can't be read. */
export function loginOf(url: string): ConnectionOptions {
  const { tls, ...login } = readUrl(url);
  return { ...login, ...(tls && { ssl: sslOptions(tls) }) };
}
