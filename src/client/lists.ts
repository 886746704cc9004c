// Walks over many keys, page by page: lists and the deletion of a prefix.

import type { Call, Result } from "./call.ts";
import { fromBase64, query } from "./encoding.ts";
import { dateOf, valueBytes } from "./result.ts";
import type { Client, Key, ListEntry, ListOptions, Page } from "./types.ts";

interface ListedKey {
  key?: string;
  key_base64?: string;
}
type Send = (parts: Pick<Call, "method" | "path" | "isWrite">, signal?: AbortSignal) => Promise<Result>;

export function createLists(send: Send): Pick<Client, "list" | "pages" | "deletePrefix"> {
  async function* pages(options: ListOptions = {}): AsyncGenerator<Page, void, void> {
    const { prefix, start, startAfter, end, reverse, delimiter, pageSize, include, order, consistency, signal } =
      options;
    const asked = {
      ...{ prefix, start, start_after: startAfter, end, reverse, delimiter, limit: pageSize },
      ...{ include: include?.join() || undefined, order, consistency },
    };
    let cursor = options.cursor ?? null;
    do {
      const path = query({ ...asked, cursor: cursor ?? undefined });
      const page = (await send({ method: "GET", path, isWrite: false }, signal)) as unknown as {
        entries: (Result & ListedKey)[];
        prefixes?: (string | ListedKey)[];
        cursor: string | null;
      };
      cursor = page.cursor;
      const prefixes = (page.prefixes ?? []).map((item) => (typeof item === "string" ? item : keyOf(item)));
      yield { entries: page.entries.map(entryOf), prefixes, cursor };
    } while (cursor);
  }

  return {
    pages,
    async *list(options) {
      for await (const { entries } of pages(options)) yield* entries;
    },
    async *deletePrefix(prefix, { dryRun, cursor, signal } = {}) {
      let deleted = 0;
      for (let next = cursor ?? null, isFirst = true; isFirst || next; isFirst = false) {
        const path = query({ prefix, dry_run: dryRun || undefined, cursor: next ?? undefined });
        const step = await send({ method: "DELETE", path, isWrite: !dryRun }, signal);
        const told = step as unknown as { deleted: number; cursor: string | null };
        deleted += told.deleted;
        next = told.cursor;
        yield { deleted, cursor: next };
      }
    },
  };
}

const keyOf = ({ key, key_base64 }: ListedKey): Key => key ?? fromBase64(key_base64 as string);

function entryOf(listed: Result & ListedKey): ListEntry {
  const { etag, expires_at, bytes, content_type, metadata, value, value_base64 } = listed;
  return {
    key: keyOf(listed),
    ...{ etag: etag as string, bytes: bytes as number, contentType: content_type as string },
    expiresAt: dateOf(expires_at),
    ...(metadata != null && { metadata: metadata as ListEntry["metadata"] }),
    ...((value ?? value_base64) !== undefined && { value: valueBytes(listed) }),
  };
}
