// The tree of keys, for a pointer and for a keyboard as the ARIA practices have it: one stop of the Tab key, arrows within.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Key } from "../../../client/index.ts";
import { sizeText } from "../bytes.ts";
import { sentenceOf } from "../server.ts";
import type { Item, Row } from "./levels.ts";

interface TreeProps {
  label: string;
  rows: Row[];
  /** The name of the key that is looked at. */
  selected: string | undefined;
  onOpen: (item: Item) => void;
  onToggle: (item: Item) => void;
  onMore: (prefix: Key) => void;
}

export function Tree({ label, rows, selected, onOpen, onToggle, onMore }: TreeProps) {
  const list = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string>();
  const stop = rows.some(({ id }) => id === focused) ? focused : rows[0]?.id;
  /** Focus that was on a line which has gone stays in the tree. */
  const hadFocus = useRef(false);
  useLayoutEffect(() => {
    if (
      hadFocus.current &&
      !list.current?.contains(document.activeElement) &&
      document.activeElement === document.body
    ) {
      move(rows.findIndex(({ id }) => id === stop));
    }
  });

  function move(index: number) {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (!row) return;
    setFocused(row.id);
    const at = rows.indexOf(row);
    (list.current?.children[at] as HTMLElement | undefined)?.focus();
  }

  function press(row: Row) {
    if (row.kind === "more") onMore(row.prefix);
    else if (row.item.isFolder) onToggle(row.item);
    else onOpen(row.item);
  }

  function onKeyDown(event: KeyboardEvent) {
    const at = rows.findIndex(({ id }) => id === stop);
    const row = rows[at];
    if (!row) return;
    const isFolder = row.kind === "item" && row.item.isFolder;
    const isOpen = row.kind === "item" && row.isOpen;
    const parent = () => rows.findLastIndex(({ depth }, index) => index < at && depth < row.depth);
    const actions: Record<string, () => void> = {
      ArrowDown: () => move(at + 1),
      ArrowUp: () => move(at - 1),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      ArrowRight: () => {
        if (isFolder && !isOpen) onToggle(row.item);
        else if (isOpen) move(at + 1);
      },
      ArrowLeft: () => {
        if (isOpen) onToggle((row as Extract<Row, { kind: "item" }>).item);
        else if (row.depth > 1) move(parent());
      },
      Enter: () => press(row),
      " ": () => press(row),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function onClick({ target }: MouseEvent) {
    const line = (target as Element).closest('[role="treeitem"]');
    const row = line ? rows[[...(list.current?.children ?? [])].indexOf(line)] : undefined;
    if (row) press(row);
  }

  return (
    // The lines are flat, because there may be thousands: their depth is said by aria-level.
    <div
      ref={list}
      class="tree"
      role="tree"
      aria-label={label}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onFocusCapture={() => {
        hadFocus.current = true;
      }}
      onBlurCapture={(event) => {
        if (event.relatedTarget) hadFocus.current = false;
      }}
    >
      {rows.map((row) => (
        <div
          key={row.id}
          role="treeitem"
          class={`row ${row.kind === "more" ? "more" : row.item.isFolder ? "folder" : "key"}`}
          data-depth={Math.min(row.depth, 12)}
          aria-level={row.depth}
          aria-posinset={row.kind === "item" ? row.position : undefined}
          aria-setsize={row.kind === "item" ? -1 : undefined}
          aria-expanded={row.kind === "item" && row.item.isFolder ? row.isOpen : undefined}
          aria-selected={row.kind === "item" && !row.item.isFolder && row.item.name === selected}
          tabIndex={row.id === stop ? 0 : -1}
          onFocus={() => setFocused(row.id)}
        >
          {row.kind === "item" ? <ItemText row={row} /> : <More row={row} />}
        </div>
      ))}
    </div>
  );
}

function ItemText({ row: { label, item } }: { row: Extract<Row, { kind: "item" }> }) {
  return (
    <>
      <bdi class="name">{label}</bdi>
      {!item.isFolder && (
        <span class="size" aria-hidden="true">
          {sizeText(item.entry.bytes)}
        </span>
      )}
    </>
  );
}

function More({ row: { level } }: { row: Extract<Row, { kind: "more" }> }) {
  if (level.error !== undefined) return <span class="problem">{sentenceOf(level.error)} Try again</span>;
  if (level.isLoading) return <span>Loading …</span>;
  return <span>More keys …</span>;
}
