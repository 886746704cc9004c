// Bearer tokens: how they are written down, what each allows, and how one is recognized. Only their hashes are kept.

import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { NAMESPACE_PATTERN, TOKENS } from "../limits.ts";

export const RIGHTS = ["read", "write"] as const;
export type Right = (typeof RIGHTS)[number];

/** What a token allows. */
export interface Grant {
  rights: ReadonlySet<Right>;
  /** "*" is all of them, and what is about all of them. */
  namespaces: ReadonlySet<string> | "*";
}

/** Of a token's randomness: nobody guesses it, so a plain hash of it needs no salt and no slowness. */
const TOKEN_BYTES = 32;
/** By this, scanners for secrets that were checked in recognize one. */
const TOKEN_PREFIX = "kv_";
/** Of a hash; tokens are looked up by it. */
const SELECTOR_BYTES = 8;
const ENTRY = /^(?<rights>[a-z,]+):(?<namespaces>[^:]+):(?<hash>[0-9a-f]{64})$/;

interface Known {
  hash: Buffer;
  grant: Grant;
}

/** The tokens that are valid at one time. */
export class Tokens {
  private readonly bySelector = new Map<string, Known>();

  /**
   * Reads texts of entries `RIGHTS:NAMESPACES:HASH`, between white space; the rest of a line after `#` is a comment.
   * Throws an Error that names the text and the line, and quotes nothing, for a secret may be where no one expects it.
   */
  constructor(texts: { name: string; text: string }[]) {
    for (const { name, text } of texts) {
      for (const [index, line] of text.split("\n").entries()) {
        for (const entry of line.replace(/#.*/, "").split(/\s+/).filter(Boolean)) {
          const problem = this.add(entry);
          if (problem) throw new Error(`${name}: line ${index + 1}: ${problem}`);
        }
      }
    }
  }

  get size(): number {
    return this.bySelector.size;
  }

  /** What the token allows; undefined where there is none like it. */
  grantOf(token: string): Grant | undefined {
    const found = hash("sha256", token, "buffer");
    // The time that the lookup takes tells of a part of the hash at most, and nobody can choose a token by its hash.
    const known = this.bySelector.get(selectorOf(found));
    return known && timingSafeEqual(known.hash, found) ? known.grant : undefined;
  }

  /** Says what is wrong with an entry, if anything is. */
  private add(entry: string): string | undefined {
    const { rights, namespaces, hash: hex } = ENTRY.exec(entry)?.groups ?? {};
    if (!rights || !namespaces || !hex) return "an entry is RIGHTS:NAMESPACES:HASH; 'npm run token' makes one";
    const given = rights.split(",");
    if (!given.every(isRight)) return `rights are ${RIGHTS.join(",")} or one of them`;
    const names = namespaces.split(",");
    if (namespaces !== "*" && !names.every((name) => NAMESPACE_PATTERN.test(name))) {
      return "namespaces are * or names with commas between them, of letters, digits, '_' and '-'";
    }
    const selector = selectorOf(Buffer.from(hex, "hex"));
    if (this.bySelector.has(selector)) return "this token has an entry already";
    if (this.bySelector.size === TOKENS) return `there are more than ${TOKENS} tokens`;
    const grant = { rights: new Set(given), namespaces: namespaces === "*" ? namespaces : new Set(names) } as const;
    this.bySelector.set(selector, { hash: Buffer.from(hex, "hex"), grant });
    return undefined;
  }
}

/** Throws an Error where nobody would be let in, which at a start is a mistake. */
export function requireSome(tokens: Tokens): Tokens {
  if (tokens.size === 0)
    throw new Error("There is no token in KV_TOKENS or KV_TOKENS_FILE; 'npm run token' makes one.");
  return tokens;
}

/** Makes a token that allows this, and the entry by which a server knows it. */
export function newToken(rights: Right[], namespaces: string): { token: string; entry: string } {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
  return { token, entry: `${rights.join(",")}:${namespaces}:${hash("sha256", token, "hex")}` };
}

function selectorOf(hash: Buffer): string {
  return hash.toString("latin1", 0, SELECTOR_BYTES);
}

function isRight(word: string): word is Right {
  return RIGHTS.some((right) => right === word);
}
