// Where a database answers: a `mysql://` URL, or several separated by commas, such as those of two vtgates, which differ
// in host and port only and of which any will do.

const SEPARATOR = /,(?=mysql:\/\/)/;

/** Each by itself. */
export function urlsOf(list: string): [first: string, ...others: string[]] {
  return list.split(SEPARATOR) as [string];
}

/** Whether it is a list as described above. */
export function isUrlList(list: string): boolean {
  const urls = urlsOf(list);
  if (!urls.every((url) => url.startsWith("mysql://") && URL.canParse(url))) return false;
  return new Set(urls.map((url) => Object.assign(new URL(url), { host: "host", port: "" }).href)).size === 1;
}

/** The keyspace that they lead to, or the database of a plain MySQL. */
export function keyspaceOf(list: string): string {
  return decodeURIComponent(new URL(urlsOf(list)[0]).pathname.slice(1));
}

/** The shard's primary, whether or not the shard serves, as a list of its own. */
export function urlOfShard(list: string, shard: string): string {
  return shard === "" ? list : withTarget(list, `:${shard}@primary`);
}

/**
 * The primary that serves the shard's range of keyspace ids, as a list of its own. Where that is not one shard any more
 * vtgate refuses what is written. It takes no INSERT there.
 */
export function urlOfRange(list: string, shard: string): string {
  return shard.includes("-") ? withTarget(list, `[${shard}]@primary`) : list;
}

function withTarget(list: string, target: string): string {
  const targets = urlsOf(list).map((url) => {
    const { pathname } = new URL(url);
    // Decoded where it is read.
    return Object.assign(new URL(url), { pathname: `${pathname}${encodeURIComponent(target)}` }).href;
  });
  return targets.join(",");
}
