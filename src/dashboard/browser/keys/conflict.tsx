// Two versions of an entry side by side: what somebody else has saved, and what was about to be saved over it.

import { useLayoutEffect, useRef } from "preact/hooks";
import { hexDump, textOf } from "../bytes.ts";
import { Problem } from "../problem.tsx";
import type { Draft, StoredEntry } from "./draft.ts";
import { Shown } from "./shown.tsx";

const SHOWN_BYTES = 64 * 1024;

interface ConflictProps {
  /** Null where the key has gone. */
  theirs: StoredEntry | null;
  mine: Draft;
  isSaving: boolean;
  problem: string;
  onOverwrite: () => void;
  onDiscard: () => void;
  onEdit: () => void;
}

export function Conflict({ theirs, mine, isSaving, problem, onOverwrite, onDiscard, onEdit }: ConflictProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
  return (
    <section class="conflict" aria-label="Conflict">
      <h3 ref={heading} tabIndex={-1}>
        {theirs ? "Somebody has changed this entry meanwhile" : "Somebody has deleted this key meanwhile"}
      </h3>
      <p>Nothing was saved.</p>
      <div class="versions">
        <Version title="Stored now" text={theirs && shown(theirs.value)} />
        <Version title="Yours" text={mine.bytes ? shown(mine.bytes) : mine.text} />
      </div>
      <Problem text={problem} />
      <div class="bar">
        <button type="button" onClick={onEdit}>
          Edit yours further
        </button>
        <button type="button" class="danger" disabled={isSaving} onClick={onOverwrite}>
          {theirs ? "Save yours over theirs" : "Save yours as a new entry"}
        </button>
        <button type="button" onClick={onDiscard}>
          Discard yours
        </button>
      </div>
    </section>
  );
}

function Version({ title, text }: { title: string; text: string | null }) {
  return (
    <section aria-label={title}>
      <h4>{title}</h4>
      {text === null ? <p>There is no such key.</p> : <Shown label={`${title}: value`} text={text} />}
    </section>
  );
}

function shown(bytes: Uint8Array): string {
  return textOf(bytes)?.slice(0, SHOWN_BYTES) ?? hexDump(bytes.subarray(0, SHOWN_BYTES / 4));
}
