// Where in the page one is, kept behind the # of its address: so it can be gone back from, kept and passed on, and no
// server is told of it.

export interface Place {
  view: "keys" | "state";
  namespace: string;
  delimiter: string;
  prefix: string;
  /** The key that is looked at, percent-encoded. */
  key?: string;
}

export const START: Place = { view: "keys", namespace: "", delimiter: "/", prefix: "" };

export function placeOf(hash: string): Place {
  const [view, parameters = ""] = hash.replace(/^#/, "").split("?");
  const given = new URLSearchParams(parameters);
  return {
    view: view === "state" ? "state" : "keys",
    namespace: given.get("namespace") ?? "",
    delimiter: given.get("delimiter") ?? "/",
    prefix: given.get("prefix") ?? "",
    key: given.get("key") ?? undefined,
  };
}

export function hashOf({ view, key, ...rest }: Place): string {
  const parameters = new URLSearchParams(rest);
  if (key !== undefined) parameters.set("key", key);
  return `#${view}?${parameters}`;
}
