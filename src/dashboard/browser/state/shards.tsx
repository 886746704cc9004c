// Each shard with its tablets, its size, its sweep, and what is happening to it.

import type { ShardState, StateDocument, TabletState } from "../../document.ts";
import { durationText, sizeText } from "../bytes.ts";
import { happenings } from "./happenings.ts";
import { numberText } from "./number.ts";

export function Shards({ state }: { state: StateDocument }) {
  const { shards, shardsCount, database } = state;
  const isVitess = database.kind === "vitess";
  return (
    <section aria-label="Shards">
      <h2>Shards</h2>
      {!isVitess && (
        <p class="hint">The database is a plain MySQL: it is one shard, and nothing is known of replicas.</p>
      )}
      {shards.length < shardsCount && (
        <p class="hint">
          The first {shards.length} of {numberText(shardsCount)} are shown; a monitor has the others.
        </p>
      )}
      <ul class="shards">
        {shards.map((shard) => (
          <li key={shard.name}>
            <Shard shard={shard} state={state} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Shard({ shard, state }: { shard: ShardState; state: StateDocument }) {
  const { name, tablets, size, sweep, statementsPerSecond } = shard;
  const primary = tablets?.find(({ type, serving }) => type === "primary" && serving);
  const others = tablets?.filter((tablet) => tablet !== primary);
  const backlog = sweep && `${numberText(sweep.backlogRows)} rows, the oldest for ${durationText(sweep.oldestAgeMs)}`;
  return (
    <article aria-label={`Shard ${name || "of the database"}`}>
      <h3>{name || "The database"}</h3>
      {happenings(shard, state).map(({ text, isBad }) => (
        <p key={text} class={isBad ? "problem" : "happening"}>
          {text}
        </p>
      ))}
      <dl class="facts">
        {tablets && (
          <>
            <dt>Primary</dt>
            <dd>{primary?.alias ?? "none"}</dd>
            <dt>Others</dt>
            <dd>
              {others?.map((tablet) => (
                <Tablet key={tablet.alias} tablet={tablet} />
              ))}
            </dd>
          </>
        )}
        <dt>Size</dt>
        <dd>{size ? `${sizeText(size.bytes)}, about ${numberText(size.rows)} rows` : "–"}</dd>
        <dt>Statements</dt>
        <dd>{numberText(statementsPerSecond, "/s")}</dd>
        <dt>Expired, still there</dt>
        <dd>{!sweep ? "–" : sweep.backlogRows === 0 ? "none" : backlog}</dd>
        <dt>Swept by</dt>
        <dd>{!sweep ? "–" : sweep.holder || "nobody"}</dd>
      </dl>
    </article>
  );
}

function Tablet({ tablet: { alias, type, serving, lagSeconds } }: { tablet: TabletState }) {
  const lag = lagSeconds === null ? "lag unknown" : `${lagSeconds} s behind`;
  return (
    <div class={serving ? undefined : "problem"}>
      {alias}: {serving ? `${type}, ${lag}` : `${type}, not serving`}
    </div>
  );
}
