// Deleting all keys that begin with a prefix: only what was counted first can be deleted, and both can be stopped.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Client } from "../../../client/index.ts";
import { Problem } from "../problem.tsx";
import { sentenceOf } from "../server.ts";
import { Dialog } from "./dialog.tsx";

interface DeletionProps {
  client: Client;
  prefix: string;
  onClose: () => void;
  onDeleted: () => void;
}

type Step = "choosing" | "counting" | "counted" | "deleting" | "deleted";

export function DeletionDialog({ client, prefix: given, onClose, onDeleted }: DeletionProps) {
  const [prefix, setPrefix] = useState(given);
  const [step, setStep] = useState<Step>("choosing");
  const [keys, setKeys] = useState(0);
  const [problem, setProblem] = useState("");
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);

  async function walk(dryRun: boolean) {
    const before: Step = dryRun ? "choosing" : "deleted";
    stop.current = new AbortController();
    const { signal } = stop.current;
    setProblem("");
    setKeys(0);
    setStep(dryRun ? "counting" : "deleting");
    try {
      for await (const { deleted } of client.deletePrefix(prefix, { dryRun, signal })) setKeys(deleted);
      setStep(dryRun ? "counted" : "deleted");
    } catch (error) {
      setProblem(signal.aborted ? "Stopped." : sentenceOf(error));
      setStep(before);
    }
    if (!dryRun) onDeleted();
  }

  const count = `${keys.toLocaleString("en")} ${keys === 1 ? "key" : "keys"}`;
  const said: Record<Step, string> = {
    choosing: "",
    counting: `Counting: ${count} so far …`,
    counted: keys === 0 ? "No key begins so." : `${count} would be deleted. Nothing was deleted yet.`,
    deleting: `Deleting: ${count} so far …`,
    deleted: `${count} deleted.`,
  };
  const isRunning = step === "counting" || step === "deleting";
  return (
    <Dialog title="Delete by prefix" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          walk(true);
        }}
      >
        <label>
          Keys that begin with
          <input
            value={prefix}
            disabled={isRunning}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => {
              setPrefix(event.currentTarget.value);
              setStep("choosing");
            }}
          />
        </label>
        {prefix === "" && <p class="hint">With nothing here, these are all keys of the namespace.</p>}
        <p role="status">{said[step]}</p>
        <Problem text={problem} />
        <div class="bar">
          {isRunning ? (
            <button type="button" onClick={() => stop.current.abort()}>
              Stop
            </button>
          ) : (
            <button type="submit">Count</button>
          )}
          {step === "counted" && keys > 0 && (
            <button type="button" class="danger" onClick={() => walk(false)}>
              Delete {count}
            </button>
          )}
          <button type="button" onClick={onClose}>
            Close
          </button>
        </div>
      </form>
    </Dialog>
  );
}
