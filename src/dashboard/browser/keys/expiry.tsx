// When an entry expires: counted down by the store's own measure of the time that is left, and changed.

import { useEffect, useState } from "preact/hooks";
import type { Client, Key, Ttl } from "../../../client/index.ts";
import { durationText } from "../bytes.ts";
import { useNow } from "../hooks.ts";
import { Problem } from "../problem.tsx";
import { sentenceOf } from "../server.ts";

const UNITS_SECONDS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 };

interface ExpiryProps {
  client: Client;
  keyLooked: Key;
  /** `atMs` is when it was read, by the page's clock. */
  reading: { ttl: Ttl; atMs: number; entry: { etag: string } };
  mayWrite: boolean;
  onChanged: () => void;
  onExpired: () => void;
}

export function Expiry({ client, keyLooked, reading, mayWrite, onChanged, onExpired }: ExpiryProps) {
  const { ttl, atMs, entry } = reading;
  const now = useNow(250, ttl.ttlMs !== null);
  const leftMs = ttl.ttlMs === null ? undefined : Math.max(0, ttl.ttlMs - (now - atMs));
  const hasExpired = leftMs === 0;
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (hasExpired) onExpired();
  }, [hasExpired, atMs]);

  async function change(work: () => Promise<unknown>) {
    try {
      const isDone = await work();
      setProblem(isDone ? "" : "Not changed: the entry is another by now.");
      onChanged();
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const unit = String(given.get("unit")) as keyof typeof UNITS_SECONDS;
    const seconds = Math.round(Number(given.get("count")) * UNITS_SECONDS[unit]);
    change(() => client.expire(keyLooked, { ttl: seconds, ifMatch: entry.etag }));
  };
  return (
    <div class="expiry">
      <p>
        {leftMs === undefined ? (
          "Never expires"
        ) : (
          <>
            Expires in <strong class="left">{durationText(leftMs)}</strong>, at{" "}
            <time dateTime={ttl.expiresAt?.toISOString()}>{ttl.expiresAt?.toLocaleString()}</time>
          </>
        )}
      </p>
      {mayWrite && (
        <form class="bar" onSubmit={submit} aria-label="Time to live">
          <label>
            Expire in
            <input name="count" type="number" min="1" step="1" max="3155760000" defaultValue="10" required />
          </label>
          <label>
            <span class="unseen">Unit</span>
            <select name="unit" defaultValue="minutes">
              {Object.keys(UNITS_SECONDS).map((unit) => (
                <option key={unit}>{unit}</option>
              ))}
            </select>
          </label>
          <button type="submit">Set</button>
          {leftMs !== undefined && (
            <button type="button" onClick={() => change(() => client.persist(keyLooked))}>
              Never expire
            </button>
          )}
        </form>
      )}
      <Problem text={problem} />
    </div>
  );
}
