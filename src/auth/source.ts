// Where a server's tokens come from: a variable, a file that is read again when it changes, or both.

import { readFile, stat } from "node:fs/promises";
import type { Logger } from "pino";
import { follow } from "../follow.ts";
import { TOKENS_FILE_BYTES } from "../limits.ts";
import { requireSome, Tokens } from "./tokens.ts";

export interface TokenSource {
  /** KV_TOKENS. */
  inline?: string;
  /** KV_TOKENS_FILE. */
  file?: string;
}

/** Tokens as they are at the moment. Throws an Error, without anything of a token in it, where they can't be read. */
export async function readTokens(source: TokenSource): Promise<Tokens> {
  return requireSome(parse(source, source.file === undefined ? "" : await readBounded(source.file)));
}

/**
 * Gives the tokens that are valid now, and follows the file from then on. While it can't be read, or is malformed, those
 * that were read last stay valid, and the log says so. An empty one is neither: it lets nobody in.
 */
export async function followTokens(source: TokenSource, log: Logger): Promise<() => Tokens> {
  let tokens = await readTokens(source);
  const { file } = source;
  if (file !== undefined) {
    follow({
      read: () => readBounded(file),
      onChange: (text) => {
        tokens = parse(source, text);
        log.info({ tokens: tokens.size }, "tokens read");
      },
      onFailure: (reason) => log.error({ reason }, "tokens can't be read, and stay as they were"),
    });
  }
  return () => tokens;
}

function parse({ inline = "" }: TokenSource, fileText: string): Tokens {
  return new Tokens([
    { name: "KV_TOKENS", text: inline },
    { name: "KV_TOKENS_FILE", text: fileText },
  ]);
}

async function readBounded(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > TOKENS_FILE_BYTES) throw new Error(`more than ${TOKENS_FILE_BYTES} bytes`);
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`KV_TOKENS_FILE: ${code ?? message}`);
  }
}
