// TLS to the database. There are two ways only: in plain text, or encrypted with a server that has proved to be the host
// that it is taken for. Every usual spelling means one of them, and what would mean something in between is refused.

import { readFileSync } from "node:fs";
import type { SslOptions } from "mysql2";

/** Names of PEM files. Without a CA the system's and the runtime's are trusted. */
export interface TlsFiles {
  ca?: string;
  /** With its key: what this client shows to a server that asks for it. */
  cert?: string;
  key?: string;
}

/** As in MySQL's client and its connectors, libpq, Prisma, Go's driver and Java's. */
const SWITCHES = /^(ssl|ssl[-_]?mode|sslaccept|tls|use[-_]?ssl|require[-_]?ssl)$/i;
const FILES = /^ssl[-_](ca|cert|key)$/i;

const ON = /^(1|true|yes|on|strict|require|required|verify[-_](ca|full|identity))$/i;
const OFF = /^(0|false|no|off|disable|disabled)$/i;

export function isTlsWord(name: string): boolean {
  return SWITCHES.test(name) || FILES.test(name);
}

/** What the parameters of a URL ask for; undefined is plain text. Throws an error with a sentence. */
export function tlsOf(words: [name: string, value: string][]): TlsFiles | undefined {
  const files: TlsFiles = {};
  const switches: boolean[] = [];
  for (const [name, value] of words) {
    const [, file] = FILES.exec(name) ?? [];
    if (!file) switches.push(isOn(name, value));
    else if (value === "") throw new Error(`${name} must name a file`);
    else files[file.toLowerCase() as keyof TlsFiles] = value;
  }
  const hasFiles = Object.keys(files).length > 0;
  const wanted = new Set(hasFiles ? [...switches, true] : switches);
  if (wanted.size === 2) throw new Error("asks for TLS and for plain text at once");
  if ((files.cert === undefined) !== (files.key === undefined)) throw new Error("needs ssl-cert and ssl-key together");
  return wanted.has(true) ? files : undefined;
}

function isOn(name: string, value: string): boolean {
  if (ON.test(value)) return true;
  if (OFF.test(value)) return false;
  if (value.startsWith("{")) return isVerified(name, value);
  throw new Error(
    `has ${name} with a value that is not known: ssl-mode=REQUIRED is TLS with a verified server, ssl-mode=DISABLED is plain text, and there is nothing between`,
  );
}

/** As mysql2 takes it, and PlanetScale gives it: `{"rejectUnauthorized":true}`. */
function isVerified(name: string, json: string): true {
  let options: unknown;
  try {
    options = JSON.parse(json);
  } catch {
    throw new Error(`has ${name} with JSON that can't be read`);
  }
  for (const [option, value] of Object.entries(options as object)) {
    if (option !== "rejectUnauthorized" && option !== "verifyIdentity") {
      throw new Error(
        `has ${name} with an option other than rejectUnauthorized; files are named by ssl-ca, ssl-cert and ssl-key`,
      );
    }
    if (value !== true) throw new Error(`has ${name} with ${option} that is not true: servers are always verified`);
  }
  return true;
}

/** For mysql2, which verifies the server by the `host` that it was given. Throws where a file can't be read. */
export function sslOptions({ ca, cert, key }: TlsFiles): SslOptions {
  return {
    ...(ca && { ca: read(ca) }),
    ...(cert && { cert: read(cert) }),
    ...(key && { key: read(key) }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    verifyIdentity: true,
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`DATABASE_URL: the file ${file} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
