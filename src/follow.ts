// Files that are read again when they change.

import { setTimeout as sleep } from "node:timers/promises";

/** How long it takes about until a change is seen. */
const POLL_MS = 1_000;

export interface Following {
  /** What is followed, of one file or several. Throws where it can't be read. */
  read: () => Promise<string>;
  /** What was read before, if anything. */
  seen?: string;
  /** Takes what was read anew into use; throws where it can't be used. */
  onChange: (text: string) => void;
  /** Told of each failure of one of the two, once as long as the reason stays the same. */
  onFailure: (reason: string) => void;
}

/** Runs as long as the process. The content is compared, since not every change of it changes the file's time. */
export async function follow({ read, seen, onChange, onFailure }: Following) {
  for (;;) {
    const text = await read().catch((error: Error) => error);
    const finding = typeof text === "string" ? text : text.message;
    if (finding !== seen) {
      seen = finding;
      try {
        if (typeof text !== "string") throw text;
        onChange(text);
      } catch (error) {
        onFailure((error as Error).message);
      }
    }
    await sleep(POLL_MS, undefined, { ref: false });
  }
}
