// What several parts of the page do in the same way.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { isPassing } from "./server.ts";

const RETRY_MS = 2_000;

/** Of the page's own clock in milliseconds; again at each interval while it is wanted. */
export function useNow(intervalMs: number, isWanted = true): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (!isWanted) return;
    const timer = setInterval(() => setNow(performance.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs, isWanted]);
  return now;
}

export interface Loaded<T> {
  /** The latest; undefined before the first. It stays while a later attempt fails. */
  value?: T;
  error?: unknown;
  isLoading: boolean;
  reload: () => void;
}

/**
 * What `load` gives, asked again whenever it is another function, and by itself after a failure that may be passing. With
 * an interval, also when that has passed; not while nobody sees the page.
 */
export function useLoaded<T>(load: () => Promise<T>, intervalMs?: number): Loaded<T> {
  const [state, setState] = useState<{ of?: unknown; value?: T; error?: unknown; isLoading: boolean }>({
    isLoading: true,
  });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  const latest = useRef(0);
  useEffect(() => {
    const mine = ++latest.current;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (ms: number) => {
      timer = setTimeout(() => (document.hidden ? later(ms) : reload()), ms);
    };
    setState((before) => ({ ...(before.of === load && before), of: load, isLoading: true }));
    load().then(
      (value) => {
        if (mine !== latest.current) return;
        setState({ of: load, value, isLoading: false });
        if (intervalMs !== undefined) later(intervalMs);
      },
      (error) => {
        if (mine !== latest.current) return;
        setState((before) => ({ ...before, error, isLoading: false }));
        if (intervalMs !== undefined || isPassing(error)) later(intervalMs ?? RETRY_MS);
      },
    );
    return () => clearTimeout(timer);
  }, [load, round, intervalMs]);
  const { value, error, isLoading } =
    state.of === load ? state : { value: undefined, error: undefined, isLoading: true };
  return { value, error, isLoading, reload };
}
