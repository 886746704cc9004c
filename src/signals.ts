// What every program of this project does as a process: it ends in order when it is told to, and outlives its readers.

/** What asks a process to end. */
export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Fires at Ctrl-C and its like, which then end nothing by themselves. */
export function interruption(): AbortController {
  const stop = new AbortController();
  for (const name of SIGNALS) process.on(name, () => stop.abort());
  return stop;
}

/**
 * Lets this process go on when whoever read its output has gone, as in `npm start | head`: an error of a stream that nobody
 * hears ends a process.
 */
export function outliveReaders() {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
