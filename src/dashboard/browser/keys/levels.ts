// What is known of the tree of keys: each level is the keys and folders directly below a prefix, as far as their pages
// have come. Pure; tree.tsx shows it.

import type { Key, ListEntry, Page } from "../../../client/index.ts";
import { bytesOf, compare, labelOf, nameOf } from "../bytes.ts";

export interface Level {
  items: Item[];
  /** Where the next page begins; null at the end. */
  cursor: string | null;
  isLoading: boolean;
  error?: unknown;
}

/** A folder is a common prefix. */
export type Item = { key: Key; name: string } & ({ isFolder: true } | { isFolder: false; entry: ListEntry });

/** By the names of their prefixes. */
export type Levels = ReadonlyMap<string, Level>;

/** A line of the tree: an item, or what stands below the last item of a level that has no end yet. */
export type Row =
  | { kind: "item"; id: string; depth: number; item: Item; label: string; isOpen: boolean; position: number }
  | { kind: "more"; id: string; depth: number; prefix: Key; level: Level };

export const NO_LEVEL: Level = { items: [], cursor: null, isLoading: true };

/** The level with one more page. */
export function withPage(level: Level, page: Page): Level {
  const folders = page.prefixes.map((key): Item => ({ key, name: nameOf(key), isFolder: true }));
  const entries = page.entries.map(
    (entry): Item => ({ key: entry.key, name: nameOf(entry.key), isFolder: false, entry }),
  );
  const sorted = folders.length === 0 ? entries : inOrder([...folders, ...entries]);
  return { items: [...level.items, ...sorted], cursor: page.cursor, isLoading: false };
}

/** The tree's lines from the top, `open` being the names of the folders that are open. */
export function rowsOf(root: Key, levels: Levels, open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const add = (prefix: Key, depth: number) => {
    const level = levels.get(nameOf(prefix)) ?? NO_LEVEL;
    const length = bytesOf(prefix).length;
    for (const [index, item] of level.items.entries()) {
      const { name, key, isFolder } = item;
      const isOpen = isFolder && open.has(name);
      const id = `${isFolder ? "folder" : "key"} ${name}`;
      const label = labelOf(bytesOf(key).subarray(length)) || "(the prefix itself)";
      rows.push({ kind: "item", id, depth, item, label, isOpen, position: index + 1 });
      if (isOpen) add(key, depth + 1);
    }
    if (level.cursor !== null || level.isLoading || level.error !== undefined) {
      rows.push({ kind: "more", id: `more ${nameOf(prefix)}`, depth, prefix, level });
    }
  };
  add(root, 1);
  return rows;
}

function inOrder(items: Item[]): Item[] {
  const withBytes = items.map((item) => ({ item, bytes: bytesOf(item.key) }));
  return withBytes.toSorted((one, other) => compare(one.bytes, other.bytes)).map(({ item }) => item);
}
