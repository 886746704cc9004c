// Manifests for Kubernetes, one file for the database and one for the servers, in three zones. No cluster has run them: a
// test checks them against the schemas of Kubernetes and of Vitess's operator.

import { stringify } from "yaml";
import { renderDatabase } from "./kubernetes-database.ts";
import { renderServers } from "./kubernetes-servers.ts";
import { GENERATED } from "./rendered.ts";

/** The files below vitess/, by path. */
export function renderKubernetes(): Record<string, string> {
  return { "kubernetes/database.yaml": file(renderDatabase()), "kubernetes/servers.yaml": file(renderServers()) };
}

function file(documents: object[]): string {
  const parts = documents.map((each) => stringify(each, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `# ${GENERATED}\n${parts.join("---\n")}`;
}
