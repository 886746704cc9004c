// Making a key that is not there yet.

import { useState } from "preact/hooks";
import type { Client } from "../../../client/index.ts";
import { Problem } from "../problem.tsx";
import { sentenceOf } from "../server.ts";
import { Dialog } from "./dialog.tsx";

interface NewKeyProps {
  client: Client;
  prefix: string;
  onClose: () => void;
  onMade: (key: string) => void;
}

export function NewKey({ client, prefix, onClose, onMade }: NewKeyProps) {
  const [problem, setProblem] = useState("");
  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(given.get(name));
    const contentType = text("contentType");
    try {
      const etag = await client.put(text("key"), text("value"), { contentType, ifNoneMatch: "*" });
      if (etag) onMade(text("key"));
      else setProblem("This key is there already.");
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }
  return (
    <Dialog title="New key" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Key
          <input name="key" defaultValue={prefix} required autocomplete="off" spellcheck={false} />
        </label>
        <label>
          Value
          <textarea name="value" rows={6} spellcheck={false} />
        </label>
        <label>
          Content type
          <input name="contentType" defaultValue="text/plain; charset=utf-8" spellcheck={false} />
        </label>
        <Problem text={problem} />
        <div class="bar">
          <button type="submit" class="main">
            Make it
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
