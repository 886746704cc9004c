// Who is told when a signal fires: through one listener, because Node warns of a leak where many calls share a signal.

const told = new WeakMap<AbortSignal, Set<() => void>>();

/** Gives what ends this. */
export function onAbort(signal: AbortSignal, tell: () => void): () => void {
  const all = told.get(signal) ?? new Set();
  if (!told.has(signal)) {
    told.set(signal, all);
    signal.addEventListener("abort", () => {
      for (const each of all) each();
    });
  }
  all.add(tell);
  return () => all.delete(tell);
}
