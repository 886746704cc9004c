// The levels of the tree as they are loaded: each by its own pages, again by itself where that may help.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client, Key, ListOptions } from "../../../client/index.ts";
import { nameOf } from "../bytes.ts";
import { isPassing } from "../server.ts";
import { type Level, type Levels, NO_LEVEL, withPage } from "./levels.ts";

/** The most that the store gives at once. */
const PAGE_KEYS = 1_000;
const RETRY_MS = 2_000;

export interface LoadedLevels {
  levels: Levels;
  /** The level's first page where none is known, else its next. */
  load: (prefix: Key) => void;
  /** Forgets all levels, and loads the first again. */
  restart: () => void;
}

export function useLevels(client: Client | undefined, root: Key, delimiter: string): LoadedLevels {
  const [levels, setLevels] = useState<Levels>(new Map());
  const [round, setRound] = useState(0);
  /** What is loaded for another tree, or an earlier round, is not shown any more. */
  const tree = useMemo(() => ({ levels: new Map<string, Level>(), isGone: false }), [client, root, delimiter, round]);
  const current = useRef(tree);
  current.current = tree;

  const load = useCallback(
    async (prefix: Key) => {
      if (!client) return;
      const name = nameOf(prefix);
      const known = tree.levels.get(name);
      if (known?.isLoading) return;
      const show = (level: Level) => {
        tree.levels.set(name, level);
        if (current.current === tree && !tree.isGone) setLevels(new Map(tree.levels));
      };
      const before = known ?? NO_LEVEL;
      show({ ...before, isLoading: true });
      const options: ListOptions = { prefix, delimiter: delimiter || undefined, pageSize: PAGE_KEYS };
      try {
        const { value: page } = await client.pages({ ...options, cursor: before.cursor ?? undefined }).next();
        if (page) show(withPage(before, page));
      } catch (error) {
        show({ ...before, isLoading: false, error });
        if (isPassing(error)) setTimeout(() => !tree.isGone && load(prefix), RETRY_MS);
      }
    },
    [client, delimiter, tree],
  );

  useEffect(() => {
    tree.isGone = false;
    setLevels(tree.levels);
    load(root);
    return () => {
      tree.isGone = true;
    };
  }, [load, root, tree]);

  return { levels, load, restart: useCallback(() => setRound((count) => count + 1), []) };
}
