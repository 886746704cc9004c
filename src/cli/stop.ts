// The one signal by which every command ends early, in an orderly way.

const controller = new AbortController();
export const stop = controller.signal;

/** The first Ctrl-C or SIGTERM lets a command end; a second ends the process. */
export function hearSignals(interrupted: number) {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.aborted) process.exit(interrupted);
      controller.abort();
    });
  }
}
