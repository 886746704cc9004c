// `kv delete --prefix`: a walk that can be gone on with where it was interrupted.

import { wrongUsage } from "./outcome.ts";
import { counted, printJson, tell } from "./output.ts";
import { startProgress } from "./progress.ts";
import { stop } from "./stop.ts";
import { PATIENT, targetOf } from "./target.ts";

interface Arguments {
  key: string;
  base64?: boolean;
  url?: string;
  json?: boolean;
  "dry-run"?: boolean;
  cursor?: string;
}

export async function deletePrefix(args: Arguments) {
  if (!args.key.includes("/")) throw wrongUsage("Name a prefix as NAMESPACE/PREFIX; NAMESPACE/ stands for all keys.");
  const { kv, key: prefix } = targetOf(args.key, args, PATIENT);
  const isDry = args["dry-run"] ?? false;
  const progress = startProgress(isDry ? "counted" : "deleted");
  let total = 0;
  let cursor = args.cursor ?? null;
  try {
    if (!isDry && process.stderr.isTTY) {
      let entries = 0;
      for await (const step of kv.deletePrefix(prefix, { dryRun: true, cursor: args.cursor, signal: stop })) {
        entries = step.deleted;
      }
      progress.expect({ entries });
    }
    for await (const step of kv.deletePrefix(prefix, { dryRun: isDry, cursor: args.cursor, signal: stop })) {
      progress.add(step.deleted - total);
      total = step.deleted;
      cursor = step.cursor;
    }
  } catch (error) {
    progress.end();
    const goOn = cursor === null ? "run it again" : `go on with --cursor ${cursor}`;
    tell(`${isDry ? "Counted" : "Deleted"} ${total} so far; ${goOn}.`);
    throw error;
  }
  progress.end();
  if (args.json) await printJson({ [isDry ? "would_delete" : "deleted"]: total });
  else tell(isDry ? `${counted(total, "key begins", "keys begin")} so.` : `Deleted ${counted(total, "key")}.`);
}
