// What README.md shows of the calls: a document has places for it, and `npm run reference` fills them.
//
//     <!-- reference: NAME -->
//     (what is put here)
//     <!-- /reference -->
//
// NAME is that of a call, "calls" for a list of all, or "problems" for those that any call may be answered with.

import { z } from "zod";
import { PROBLEMS, type ProblemCode } from "../codes.ts";
import { type Answer, type Operation, problemsOf } from "../operation.ts";
import { OPERATIONS } from "../operations.ts";

const PLACE = /(<!-- reference: (\w+) -->\n).*?(<!-- \/reference -->)/gs;

const LISTS: Record<string, () => string> = { calls, problems };

/** The names of all that there is to show. */
export const REFERENCE_NAMES = [...Object.keys(LISTS), ...Object.keys(OPERATIONS)];

/** The names that a document has places for. */
export function namesIn(document: string): string[] {
  return [...document.matchAll(PLACE)].map(([, , name = ""]) => name);
}

/** The document with every place filled. Throws an Error for a name that nothing has. */
export function filled(document: string): string {
  return document.replace(PLACE, (_, begin: string, name: string, end: string) => {
    const operation = OPERATIONS[name];
    const text = LISTS[name]?.() ?? (operation && section(operation));
    if (text === undefined) throw new Error(`There is no call ${name}.`);
    return `${begin}\n${text}\n\n${end}`;
  });
}

function calls(): string {
  const rows = Object.values(OPERATIONS).flatMap((operation) => {
    const link = (method: string) => `[\`${method} ${operation.path}\`](#${anchor(operation)})`;
    const { method, summary, head } = operation;
    return [[link(method), summary], ...(head ? [[link("HEAD"), head]] : [])];
  });
  return table(["Call", "Does"], rows);
}

/** Those that have advice are of any call. */
function problems(): string {
  const rows = Object.entries(PROBLEMS).flatMap(([code, { status, detail, advice }]) =>
    advice ? [[String(status), `\`${code}\``, inMarkdown(detail), advice]] : [],
  );
  return table(["Status", "`code`", "Means", "What to do"], rows);
}

function section(operation: Operation): string {
  const { summary, description, head } = operation;
  const text = [`${summary}.`, description, head && `HEAD: ${head[0]?.toLowerCase()}${head.slice(1)}.`];
  const tables = [
    table(["Parameter", "In", "Meaning"], parameters(operation)),
    table(["Answer", "When"], [...Object.entries(operation.answers).map(answered), ...refused(operation)]),
    table(
      ["In the answer", "Meaning"],
      Object.values(operation.answers).flatMap(({ body }) => fields(body?.json)),
    ),
  ];
  return [`## ${title(operation)}`, text.filter(Boolean).join(" "), ...tables.filter(Boolean)].join("\n\n");
}

const title = ({ method, path }: Operation) => `${method} ${path}`;
const anchor = (operation: Operation) =>
  title(operation)
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");

function parameters({ query, headers, body }: Operation): string[][] {
  return [
    ...fields(query, "query"),
    ...fields(headers, "header"),
    ...(body ? [["", "body", body.description]] : []),
    ...fields(body?.json, "body"),
  ];
}

/** The fields of a schema that is an object, each with where it stands, if that is given, and what it means. */
function fields(schema: z.ZodType | undefined, place?: string): string[][] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries<z.ZodType>(schema.shape).map(([name, field]) => {
    const { description = field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType).description : "" } = field;
    return [`\`${name}\``, ...(place ? [place] : []), description ?? ""];
  });
}

function answered([status, { description, headers }]: [string, Answer]): string[] {
  const all = Object.entries<z.ZodType>(headers?.shape ?? {});
  const named = (optional: boolean) =>
    all.filter(([, schema]) => schema.safeParse(undefined).success === optional).map(([name]) => `\`${name}\``);
  const some = [...named(false), ...named(true).map((name) => `perhaps ${name}`)].join(", ");
  return [some ? `${status} with ${some}` : status, description];
}

/** Without those that any call may be answered with, by status as everywhere else. */
function refused(operation: Operation): string[][] {
  const own = problemsOf(operation).filter((code) => !PROBLEMS[code].advice);
  const rows = (codes: readonly ProblemCode[], where: string) =>
    codes
      .toSorted((one, other) => PROBLEMS[one].status - PROBLEMS[other].status)
      .map((code) => [`${where}${PROBLEMS[code].status} \`${code}\``, inMarkdown(PROBLEMS[code].detail)]);
  return [...rows(own, ""), ...rows(operation.partProblems ?? [], "in a result: ")];
}

/** A plain sentence as one that Markdown shows as it is. */
export function inMarkdown(sentence: string): string {
  return sentence.replace(/[\\*]/g, "\\$&");
}

function table(head: string[], rows: string[][]): string {
  if (rows.length === 0) return "";
  const [top, ...lines] = [head, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [top, `|${"---|".repeat(head.length)}`, ...lines].join("\n");
}
