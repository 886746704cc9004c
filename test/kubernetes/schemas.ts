// What Kubernetes and Vitess's operator say that their objects look like: the API server's own OpenAPI documents, and the
// operator's definitions, as files of Go modules. Strictly: a field that nobody knows is a mistake.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020";
import { parseAllDocuments } from "yaml";
import { goOnPath } from "../../vitess/install/go.ts";

const KUBERNETES = "k8s.io/kubernetes@v1.36.3";
/** Vitess's example of its operator has the operator's definitions, of the version that fits. */
const VITESS = `vitess.io/vitess@${pinned("vitess.io/vitess")}`;

type Schema = Record<string, unknown>;

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: of whichever kind it is, which a schema has said
  [field: string]: any;
}

export const hasGo = goOnPath() !== undefined;

export function objectsIn(yaml: string): KubernetesObject[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS())
    .filter(Boolean);
}

/** The operator's own objects, as one applies them before a VitessCluster. */
export function operatorObjects(): KubernetesObject[] {
  return objectsIn(readFileSync(join(moduleDir(VITESS), "examples/operator/operator.yaml"), "utf8"));
}

/** What checks an object of a kind; its `errors` say what is wrong. */
export function validatorOf({ apiVersion, kind }: KubernetesObject): ValidateFunction {
  const schema = apiVersion.startsWith("planetscale.com/") ? definition(kind) : builtIn(apiVersion, kind);
  return new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
}

function builtIn(apiVersion: string, kind: string): Schema {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const file = group ? `apis__${group}__${version}_openapi.json` : `api__${version}_openapi.json`;
  const path = join(moduleDir(KUBERNETES), "api/openapi-spec/v3", file);
  const { schemas } = JSON.parse(readFileSync(path, "utf8")).components as { schemas: Record<string, Schema> };
  const name = Object.keys(schemas).find((each) => {
    const kinds = (schemas[each]?.["x-kubernetes-group-version-kind"] ?? []) as Record<string, string>[];
    return kinds.some((known) => known.group === group && known.version === version && known.kind === kind);
  });
  if (!name) throw new Error(`${KUBERNETES} has no ${kind} in ${apiVersion}`);
  return { components: { schemas: closed(reachable(schemas, name)) }, $ref: `#/components/schemas/${name}` };
}

/** Of an API's schemas, the one and those that it refers to. */
function reachable(schemas: Record<string, Schema>, name: string, found: Record<string, Schema> = {}) {
  if (found[name]) return found;
  found[name] = schemas[name] as Schema;
  for (const [, other = ""] of JSON.stringify(found[name]).matchAll(/#\/components\/schemas\/([^"]+)/g)) {
    reachable(schemas, other, found);
  }
  return found;
}

function definition(kind: string): Schema {
  const found = operatorObjects().find(
    (each) => each.kind === "CustomResourceDefinition" && each.spec.names.kind === kind,
  );
  const schema = found?.spec.versions[0].schema.openAPIV3Schema;
  if (!schema) throw new Error(`${VITESS} has no definition of ${kind}`);
  return closed({
    ...schema,
    properties: { ...schema.properties, metadata: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
  });
}

/** The schema without room for fields that it does not name, as `kubectl apply --validate=strict` has it. */
function closed<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(closed) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)])) as Schema;
  const isOpen = "additionalProperties" in copy || copy["x-kubernetes-preserve-unknown-fields"];
  if (copy.type === "object" && typeof copy.properties === "object" && !isOpen) copy.additionalProperties = false;
  return copy as T;
}

/** The version of a module that the cluster is built of. */
function pinned(module: string): string {
  const goMod = readFileSync(join(import.meta.dirname, "../../vitess/install/go.mod"), "utf8");
  return new RegExp(`^\\s*(?:require )?${module} (v\\S+)`, "m").exec(goMod)?.[1] ?? "";
}

const dirs = new Map<string, string>();

/** Where Go keeps a module's files, which it downloads once. */
function moduleDir(module: string): string {
  const known = dirs.get(module);
  if (known) return known;
  const { stdout, stderr } = spawnSync(goOnPath() as string, ["mod", "download", "-json", module], {
    encoding: "utf8",
    cwd: "/",
    env: { ...process.env, GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local" },
  });
  const { Dir } = JSON.parse(stdout || "{}") as { Dir?: string };
  if (!Dir) throw new Error(`go can't download ${module}: ${stderr}${stdout}`);
  dirs.set(module, Dir);
  return Dir;
}
