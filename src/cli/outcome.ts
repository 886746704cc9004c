// How a command ends: its exit code, and the sentence that says why.

import { KVError } from "../client/index.ts";

export const EXIT = {
  done: 0,
  /** The key is absent, or a condition does not hold: nothing was changed. */
  negative: 1,
  /** The command line, its input or a file is wrong. */
  usage: 2,
  /** The store refused or could not be reached, and nothing was changed. */
  refused: 3,
  /** A write may have been done, or may yet be. */
  unknown: 4,
  /** A fault of this program; what it was doing may have been done. */
  fault: 70,
  /** By Ctrl-C or SIGTERM, as shells have it. */
  interrupted: 130,
} as const;

/** Ends a command with this code, and with a sentence on standard error if there is one. It quotes no key and no value. */
export class Ending extends Error {
  constructor(
    readonly code: number,
    message = "",
  ) {
    super(message);
  }
}

export const wrongUsage = (message: string) => new Ending(EXIT.usage, message);
export const absent = () => new Ending(EXIT.negative, "There is no such key, or it has expired.");
export const unmet = () => new Ending(EXIT.negative, "The condition does not hold; nothing was changed.");
export const absentOrUnmet = () =>
  new Ending(EXIT.negative, "There is no such key, or the condition does not hold; nothing was changed.");

/** How a failure ends a command; undefined for a fault of this program. */
export function endingOf(error: unknown, isInterrupted: boolean): Ending | undefined {
  if (error instanceof Ending) return error;
  if (isInterrupted) return new Ending(EXIT.interrupted);
  const { name, message } = error as Error;
  // What citty and the client throw before anything is sent, and what the system says of a file.
  const isRefusedHere = name === "CLIError" || error instanceof TypeError || error instanceof URIError;
  if (isRefusedHere || (error as NodeJS.ErrnoException).syscall) return wrongUsage(message);
  if (!(error instanceof KVError)) return undefined;
  const request = error.requestId ? ` (request ${error.requestId})` : "";
  return new Ending(error.outcomeUnknown ? EXIT.unknown : EXIT.refused, `${message}${request}`);
}
