// The browser of keys: what is asked for, the tree of it, and the entry that is looked at.

import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { keyOfName, nameOf } from "../bytes.ts";
import type { Place } from "../place.ts";
import { connect } from "../server.ts";
import { DeletionDialog } from "./deletion.tsx";
import { EntryPanel } from "./entry.tsx";
import { type Item, rowsOf } from "./levels.ts";
import { NewKey } from "./new-key.tsx";
import { Tree } from "./tree.tsx";
import { useLevels } from "./use-levels.ts";

const NAMESPACE = /^[\w-]{1,64}$/;

interface BrowserProps {
  place: Place;
  go: (change: Partial<Place>) => void;
  mayWrite: boolean;
}

export function KeyBrowser({ place, go, mayWrite }: BrowserProps) {
  const { namespace, delimiter, prefix, key } = place;
  const client = useMemo(() => (NAMESPACE.test(namespace) ? connect(namespace) : undefined), [namespace]);
  const { levels, load, restart } = useLevels(client, prefix, delimiter);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [dialog, setDialog] = useState<"delete" | "new">();
  const tree = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => rowsOf(prefix, levels, open), [prefix, levels, open]);
  const keyLooked = useMemo(() => (key === undefined ? undefined : keyOfName(key)), [key]);
  useLayoutEffect(() => setOpen(new Set()), [client, delimiter, prefix]);

  function toggle({ key: folder, name }: Item) {
    const others = new Set(open);
    if (!others.delete(name)) {
      others.add(name);
      if (!levels.has(name)) load(folder);
    }
    setOpen(others);
  }

  const close = useCallback(() => {
    go({ key: undefined });
    requestAnimationFrame(() => tree.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus());
  }, [go]);

  return (
    <div class="browser" data-looks={key !== undefined}>
      <section class="list" aria-label="Keys" ref={tree}>
        <Asked place={place} go={go} />
        {client ? (
          <>
            <div class="bar">
              <button type="button" onClick={restart}>
                Reload
              </button>
              {mayWrite && (
                <>
                  <button type="button" onClick={() => setDialog("new")}>
                    New key …
                  </button>
                  <button type="button" class="danger" onClick={() => setDialog("delete")}>
                    Delete by prefix …
                  </button>
                </>
              )}
            </div>
            {rows.length === 0 ? (
              <p class="hint">No key begins so.</p>
            ) : (
              <Tree
                {...{ label: "Keys", rows, selected: key, onToggle: toggle, onMore: load }}
                onOpen={({ name }) => go({ key: name })}
              />
            )}
          </>
        ) : (
          <p class="hint">
            {namespace === ""
              ? "Name a namespace to see its keys."
              : "A namespace is 1 to 64 letters, digits, _ and -."}
          </p>
        )}
      </section>
      {client && keyLooked !== undefined && (
        <EntryPanel key={`${namespace} ${key}`} {...{ client, keyLooked, mayWrite, onClose: close, onGone: restart }} />
      )}
      {client && dialog === "delete" && (
        <DeletionDialog {...{ client, prefix, onClose: () => setDialog(undefined), onDeleted: restart }} />
      )}
      {client && dialog === "new" && (
        <NewKey
          {...{ client, prefix, onClose: () => setDialog(undefined) }}
          onMade={(made) => {
            setDialog(undefined);
            restart();
            go({ key: nameOf(made) });
          }}
        />
      )}
    </div>
  );
}

function Asked({ place: { namespace, delimiter, prefix }, go }: Pick<BrowserProps, "place" | "go">) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(given.get(name) ?? "");
    go({ namespace: text("namespace").trim(), delimiter: text("delimiter"), prefix: text("prefix"), key: undefined });
  };
  return (
    <form class="asked" onSubmit={submit}>
      <label>
        Namespace
        <input
          name="namespace"
          key={namespace}
          defaultValue={namespace}
          required
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <label>
        Prefix
        <input name="prefix" key={prefix} defaultValue={prefix} autocomplete="off" spellcheck={false} />
      </label>
      <label class="short">
        Delimiter
        <input name="delimiter" key={delimiter} defaultValue={delimiter} autocomplete="off" spellcheck={false} />
      </label>
      <button type="submit">Show</button>
    </form>
  );
}
