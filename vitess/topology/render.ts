// `npm run render`: writes what containers, supervisors and documentation say, so that they say what the topology says.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderCompose } from "./compose.ts";
import { renderDocument } from "./document.ts";
import { renderKubernetes } from "./kubernetes.ts";
import { picture } from "./picture.ts";
import { renderExtraCnf, renderRunVtgate, renderStartMysqld } from "./scripts.ts";
import { renderSystemd } from "./systemd.ts";

/** Every rendered file below vitess/, by its path. */
export function renderAll(): Record<string, string> {
  return {
    "TOPOLOGY.md": renderDocument(),
    "system.svg": picture(),
    "compose.yaml": renderCompose(),
    "containers/extra.cnf": renderExtraCnf("0.0.0.0"),
    "containers/run-vtgate": renderRunVtgate(),
    "containers/start-mysqld": renderStartMysqld(),
    ...renderKubernetes(),
    ...Object.fromEntries(Object.entries(renderSystemd()).map(([name, text]) => [`systemd/${name}`, text])),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(renderAll())) {
    const file = join(import.meta.dirname, "..", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }
}
