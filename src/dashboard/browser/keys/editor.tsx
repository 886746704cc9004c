// Editing an entry: what is saved replaces the version that was read, and no other. Where somebody was faster both versions
// are shown, and whoever edits decides.

import { useState } from "preact/hooks";
import type { Client, Json, Key } from "../../../client/index.ts";
import { textOf } from "../bytes.ts";
import { Problem } from "../problem.tsx";
import { sentenceOf } from "../server.ts";
import { Conflict } from "./conflict.tsx";
import { type Draft, draftOf, editedValue, metadataOf, type StoredEntry } from "./draft.ts";

interface EditorProps {
  client: Client;
  keyLooked: Key;
  entry: StoredEntry;
  /** With a sentence on what was done. */
  onDone: (told: string) => void;
}

export function Editor({ client, keyLooked, entry, onDone }: EditorProps) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(entry));
  /** What a save replaces; null where the key has gone. */
  const [base, setBase] = useState<StoredEntry | null>(entry);
  /** What somebody else has made of it meanwhile. */
  const [theirs, setTheirs] = useState<StoredEntry | null>();
  const [problem, setProblem] = useState("");
  const [isSaving, setSaving] = useState(false);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });

  async function save(over: StoredEntry | null) {
    let metadata: Json | undefined;
    try {
      metadata = metadataOf(draft);
    } catch {
      setProblem("The metadata is not JSON.");
      return;
    }
    setSaving(true);
    try {
      const condition = over ? { ifMatch: over.etag, keepTtl: true } : { ifNoneMatch: "*" };
      const options = { contentType: draft.contentType, metadata, ...condition };
      const etag = await client.put(keyLooked, editedValue(draft), options);
      if (etag) return onDone("Saved.");
      setTheirs(await client.getWithInfo(keyLooked, { type: "bytes" }));
      setProblem("");
    } catch (error) {
      setProblem(sentenceOf(error));
    } finally {
      setSaving(false);
    }
  }

  async function replaceByFile(file: File | undefined) {
    if (file) change({ bytes: new Uint8Array(await file.arrayBuffer()), contentType: file.type || draft.contentType });
  }

  if (theirs !== undefined) {
    return (
      <Conflict
        {...{ theirs, mine: draft, isSaving, problem }}
        onOverwrite={() => save(theirs)}
        onDiscard={() => onDone("Your version was discarded.")}
        onEdit={() => {
          setBase(theirs);
          setTheirs(undefined);
        }}
      />
    );
  }
  return (
    <form
      class="editor"
      aria-label="Edit"
      onSubmit={(event) => {
        event.preventDefault();
        save(base);
      }}
    >
      {draft.bytes ? (
        <p class="hint">
          The value is {textOf(draft.bytes) === undefined ? "not text" : "a file"}, {draft.bytes.length} bytes; a file
          can take its place.
        </p>
      ) : (
        <label>
          Value
          <textarea
            rows={12}
            spellcheck={false}
            value={draft.text}
            onInput={(event) => change({ text: event.currentTarget.value })}
          />
        </label>
      )}
      <label>
        Replace by a file
        <input type="file" onChange={(event) => replaceByFile(event.currentTarget.files?.[0])} />
      </label>
      <label>
        Content type
        <input
          value={draft.contentType}
          maxLength={255}
          spellcheck={false}
          onInput={(event) => change({ contentType: event.currentTarget.value })}
        />
      </label>
      <label>
        Metadata (JSON, or nothing)
        <textarea
          rows={2}
          spellcheck={false}
          value={draft.metadata}
          onInput={(event) => change({ metadata: event.currentTarget.value })}
        />
      </label>
      <Problem text={problem} />
      <div class="bar">
        <button type="submit" class="main" disabled={isSaving}>
          Save
        </button>
        <button type="button" onClick={() => onDone("")}>
          Cancel
        </button>
      </div>
    </form>
  );
}
