// A value as text, JSON, bytes or an image. It is shown and never run: text is the text of an element, and only types of
// images that can't hold a script are shown as such.

import { useEffect, useMemo, useState } from "preact/hooks";
import { hexDump, sizeText, textOf } from "../bytes.ts";
import type { StoredEntry } from "./draft.ts";
import { Shown } from "./shown.tsx";

/** SVG is a document with scripts, so it is shown as the text that it is. */
const IMAGE = /^image\/(png|jpeg|gif|webp|avif|bmp)\b/i;
/** More would make the page slow. */
const SHOWN = { text: 256 * 1024, hex: 16 * 1024 };

const VIEWS = ["Text", "JSON", "Hex", "Image"] as const;
type View = (typeof VIEWS)[number];

export function ValueView({ entry, name }: { entry: StoredEntry; name: string }) {
  const { value, contentType } = entry;
  const text = useMemo(() => textOf(value), [value]);
  const json = useMemo(() => (text === undefined ? undefined : formatted(text)), [text]);
  const possible: Record<View, boolean> = {
    Text: text !== undefined,
    JSON: json !== undefined,
    Hex: true,
    Image: IMAGE.test(contentType),
  };
  const first: View = possible.Image ? "Image" : possible.JSON && /json/i.test(contentType) ? "JSON" : "Text";
  const [chosen, choose] = useState<View>();
  const wanted = chosen ?? first;
  const view = possible[wanted] ? wanted : possible.Text ? "Text" : "Hex";
  return (
    <div class="value">
      <fieldset class="bar">
        <legend class="unseen">View as</legend>
        {VIEWS.map((each) => (
          <label key={each} class="choice">
            <input
              type="radio"
              name="view"
              checked={each === view}
              disabled={!possible[each]}
              onChange={() => choose(each)}
            />
            {each}
          </label>
        ))}
        <Download value={value} name={name} />
      </fieldset>
      {view === "Image" && <Image value={value} contentType={contentType} />}
      {view === "Hex" && (
        <Beginning all={value.length} shown={SHOWN.hex} text={hexDump(value.subarray(0, SHOWN.hex))} />
      )}
      {view === "Text" && (
        <Beginning all={(text as string).length} shown={SHOWN.text} text={(text as string).slice(0, SHOWN.text)} />
      )}
      {view === "JSON" && (
        <Beginning all={(json as string).length} shown={SHOWN.text} text={(json as string).slice(0, SHOWN.text)} />
      )}
    </div>
  );
}

/** Undefined where it is not JSON. */
function formatted(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}

/** The beginning of a text of `all` characters or bytes. */
function Beginning({ text, all, shown }: { text: string; all: number; shown: number }) {
  return (
    <>
      <Shown label="Value" text={text} />
      {all > shown && (
        <p class="hint">
          Only the beginning is shown, {sizeText(shown)} of {sizeText(all)}.
        </p>
      )}
    </>
  );
}

/** An address for bytes, for as long as what shows them is there. */
function useBlob(value: Uint8Array<ArrayBuffer>, type: string): string {
  const url = useMemo(() => URL.createObjectURL(new Blob([value], { type })), [value, type]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return url;
}

function Image({ value, contentType }: { value: Uint8Array<ArrayBuffer>; contentType: string }) {
  const type = (IMAGE.exec(contentType) as RegExpExecArray)[0];
  return <img src={useBlob(value, type)} alt="The value" />;
}

function Download({ value, name }: { value: Uint8Array<ArrayBuffer>; name: string }) {
  // Of a type that a browser never opens.
  const url = useBlob(value, "application/octet-stream");
  return (
    <a href={url} download={name.replace(/[^\w.-]+/g, "_")}>
      Download
    </a>
  );
}
