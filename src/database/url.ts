// Where a database answers: a `mysql://` URL, or several separated by commas, such as those of two vtgates, which differ
// in host and port only and of which any will do. Read strictly, because a parameter that is passed over in silence may
// have been the one that asked for encryption.

import { isTlsWord, type TlsFiles, tlsOf } from "./tls.ts";

const SEPARATOR = /,(?=mysql:\/\/)/;
const MYSQL_PORT = 3306;
/** What is no more than a name can be repeated: with a password that was not escaped, anything may stand there. */
const PARAMETER_NAME = /^[A-Za-z][A-Za-z_-]{0,20}$/;
/** Of mysql2's flags, whether rows count as affected that were found and not changed: nothing here depends on it. */
const FLAGS = /^-?FOUND_ROWS$/;
const KNOWN_PARAMETERS = "ssl-mode, ssl-ca, ssl-cert, ssl-key and socketPath";

/** What one URL says. */
export interface Target {
  host: string;
  port: number;
  /** A file on this machine, in place of host and port. */
  socketPath?: string;
  user: string;
  password: string;
  /** A keyspace with what it is narrowed to, or the database of a plain MySQL. */
  database: string;
  /** Encrypted, and verified by the host's name; without it in plain text. */
  tls?: TlsFiles;
  flags?: string[];
}

/** Each by itself. */
export function urlsOf(list: string): [first: string, ...others: string[]] {
  return list.split(SEPARATOR) as [string];
}

/** Why it is no list as described above, in words that hold nothing of the URLs but names of parameters. */
export function problemOfUrls(list: string): string | undefined {
  const urls = urlsOf(list);
  try {
    const [first] = urls.map(readUrl);
    const alike = new Set(urls.map((url) => Object.assign(new URL(url), { host: "host", port: "" }).href)).size === 1;
    if (!alike) return "must be mysql:// URLs, separated by commas, which differ in host and port only";
    if (urls.length > 1 && first?.socketPath) return "a socketPath is one address, so there can be no second URL";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Throws an error with a sentence that follows on the name of the variable, see `problemOfUrls`. */
export function readUrl(text: string): Target {
  if (!text.startsWith("mysql://") || !URL.canParse(text)) {
    throw new Error(
      "must be mysql://user:password@host:port/database; in a user or password write %25 for %, %2F for /, %3A for :, %3F for ?, %23 for # and %40 for @",
    );
  }
  const url = new URL(text);
  const database = decode(url.pathname.slice(1), "database name");
  // The rest of a password after a character that ends the host.
  if (url.hash || (url.username === "" && `${url.pathname}${url.search}`.includes("@"))) {
    throw new Error("in a user or password write %2F for /, %3F for ? and %23 for #");
  }
  if (database === "") throw new Error("must name a database, as in mysql://user:password@host:port/database");
  const { socketPath, tls, flags } = readParameters(url.searchParams);
  // A URL has IPv6 addresses in brackets.
  const host = decode(url.hostname, "host").replace(/^\[(.*)\]$/, "$1");
  if (host === "" && !socketPath) throw new Error("must name a host");
  if (socketPath && tls)
    throw new Error("a socketPath leads to this machine, where there is no TLS; leave one of the two out");
  return {
    host,
    port: Number(url.port) || MYSQL_PORT,
    user: decode(url.username, "user"),
    password: decode(url.password, "password"),
    database,
    ...(socketPath && { socketPath }),
    ...(tls && { tls }),
    ...(flags && { flags: [flags] }),
  };
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`a % in the ${what} must be written %25`);
  }
}

function readParameters(parameters: URLSearchParams): Pick<Target, "socketPath" | "tls"> & { flags?: string } {
  let socketPath: string | undefined;
  let flags: string | undefined;
  const words: [name: string, value: string][] = [];
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (!PARAMETER_NAME.test(name)) throw new Error(`has a parameter that is not known; ${KNOWN_PARAMETERS} are`);
    if (seen.has(name)) throw new Error(`has the parameter ${name} twice`);
    seen.add(name);
    if (name === "socketPath") socketPath = value;
    else if (name === "flags" && FLAGS.test(value)) flags = value;
    else if (isTlsWord(name)) words.push([name, value]);
    else throw new Error(`has the parameter ${name}, which is not known; ${KNOWN_PARAMETERS} are`);
  }
  if (socketPath !== undefined && !socketPath.startsWith("/")) throw new Error("socketPath must begin with /");
  return { socketPath, flags, tls: tlsOf(words) };
}

/** The same list, with the files of `KV_DATABASE_CA` and so on. Throws as `readUrl` does where a URL names others. */
export function withTlsFiles(list: string, files: TlsFiles): string {
  const urls = urlsOf(list).map((text) => {
    const url = new URL(text);
    const { searchParams } = url;
    for (const [what, file] of Object.entries(files)) {
      if (file === undefined) continue;
      const name = `ssl-${what}`;
      if ((searchParams.get(name) ?? file) !== file) throw new Error(`and the variable for ${name} name two files`);
      searchParams.set(name, file);
    }
    return url.href;
  });
  for (const url of urls) readUrl(url);
  return urls.join(",");
}

/** The keyspace that they lead to, or the database of a plain MySQL. */
export function keyspaceOf(list: string): string {
  return decodeURIComponent(new URL(urlsOf(list)[0]).pathname.slice(1));
}

/** The shard's primary, whether or not the shard serves, as a list of its own. */
export function urlOfShard(list: string, shard: string): string {
  return shard === "" ? list : withTarget(list, `:${shard}@primary`);
}

/**
 * The primary, or the replicas, that serve the shard's range of keyspace ids, as a list of its own. Where that is not one shard any more
 * vtgate refuses what is written. It takes no INSERT there.
 */
export function urlOfRange(list: string, shard: string, type = "primary"): string {
  // A keyspace that is not sharded has one shard, called 0; a plain MySQL has none, and no replicas.
  if (!shard.includes("-") && type === "primary") return list;
  return shard === "" ? list : withTarget(list, shard.includes("-") ? `[${shard}]@${type}` : `@${type}`);
}

function withTarget(list: string, target: string): string {
  const targets = urlsOf(list).map((url) => {
    const { pathname } = new URL(url);
    // Decoded where it is read.
    return Object.assign(new URL(url), { pathname: `${pathname}${encodeURIComponent(target)}` }).href;
  });
  return targets.join(",");
}
