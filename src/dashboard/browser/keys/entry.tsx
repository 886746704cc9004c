// One entry: what is known of it, its value in several views, and what may be done with it.

import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Client, Key, Ttl } from "../../../client/index.ts";
import { labelOf, sizeText } from "../bytes.ts";
import { useLoaded } from "../hooks.ts";
import { sentenceOf } from "../server.ts";
import type { StoredEntry } from "./draft.ts";
import { Editor } from "./editor.tsx";
import { Expiry } from "./expiry.tsx";
import { ValueView } from "./views.tsx";

/** What was read of a key, and when by the page's clock; null where there is none. */
type Reading = { entry: StoredEntry; ttl: Ttl; atMs: number } | null;

interface EntryProps {
  client: Client;
  keyLooked: Key;
  mayWrite: boolean;
  onClose: () => void;
  /** The key was deleted here. */
  onGone: () => void;
}

export function EntryPanel({ client, keyLooked, mayWrite, onClose, onGone }: EntryProps) {
  const read = useCallback(async (): Promise<Reading> => {
    const [entry, ttl] = await Promise.all([client.getWithInfo(keyLooked, { type: "bytes" }), client.ttl(keyLooked)]);
    return entry && ttl && { entry, ttl, atMs: performance.now() };
  }, [client, keyLooked]);
  const { value: reading, error, isLoading, reload } = useLoaded(read);
  const [isEditing, setEditing] = useState(false);
  const [notice, setNotice] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  // Before anybody can press a key or a button of it: later, this would take the focus away again.
  useLayoutEffect(() => heading.current?.focus(), []);

  async function remove(etag: string) {
    if (!confirm("Delete this key?")) return;
    try {
      const isDeleted = await client.delete(keyLooked, { ifMatch: etag });
      setNotice(isDeleted ? "Deleted." : "Not deleted: somebody has changed it. This is what it is now.");
      reload();
      if (isDeleted) onGone();
    } catch (failure) {
      setNotice(sentenceOf(failure));
    }
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" && !isEditing) onClose();
  };
  return (
    <section class="entry" aria-label="Entry" onKeyDown={onKeyDown}>
      <div class="bar">
        <h2 ref={heading} tabIndex={-1}>
          <bdi>{labelOf(keyLooked)}</bdi>
        </h2>
        <button type="button" class="back" onClick={onClose}>
          Close
        </button>
      </div>
      <p class="notice" role="status">
        {error !== undefined ? sentenceOf(error) : isLoading && reading === undefined ? "Loading …" : notice}
      </p>
      {reading === null && (
        <div class="bar">
          <p>There is no such key, or not any more.</p>
          <button type="button" onClick={reload}>
            Look again
          </button>
        </div>
      )}
      {reading && !isEditing && (
        <>
          <Facts entry={reading.entry} />
          <Expiry {...{ client, keyLooked, reading, mayWrite, onChanged: reload, onExpired: reload }} />
          <div class="bar">
            <button type="button" onClick={reload}>
              Reload
            </button>
            {mayWrite && (
              <>
                <button type="button" onClick={() => setEditing(true)}>
                  Edit
                </button>
                <button type="button" class="danger" onClick={() => remove(reading.entry.etag)}>
                  Delete
                </button>
              </>
            )}
          </div>
          <ValueView entry={reading.entry} name={labelOf(keyLooked)} />
        </>
      )}
      {reading && isEditing && (
        <Editor
          {...{ client, keyLooked, entry: reading.entry }}
          onDone={(told) => {
            setNotice(told);
            setEditing(false);
            reload();
            heading.current?.focus();
          }}
        />
      )}
    </section>
  );
}

function Facts({ entry: { contentType, bytes, etag, metadata } }: { entry: StoredEntry }) {
  return (
    <dl class="facts">
      <dt>Type</dt>
      <dd>{contentType}</dd>
      <dt>Size</dt>
      <dd title={`${bytes} bytes`}>{sizeText(bytes)}</dd>
      <dt>ETag</dt>
      <dd>{etag}</dd>
      <dt>Metadata</dt>
      <dd>{metadata === null ? "none" : JSON.stringify(metadata)}</dd>
    </dl>
  );
}
