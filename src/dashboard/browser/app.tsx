// The frame of the page: where one is, whether the store answers, the token, and whether changes are allowed.

import { useCallback, useEffect, useState } from "preact/hooks";
import { useLoaded } from "./hooks.ts";
import { KeyBrowser } from "./keys/browser.tsx";
import { hashOf } from "./place.ts";
import { ask, isAboutToken, isPassing, keepToken, sentenceOf, token } from "./server.ts";
import { StateView } from "./state/state.tsx";
import { usePlace } from "./use-place.ts";

const ASK_MS = 3_000;
const VIEWS = { keys: "Keys", state: "State" } as const;

export function App() {
  const [place, go] = usePlace();
  const [mayWrite, setMayWrite] = useState(false);
  /** Another token is another page. */
  const [tokens, setTokens] = useState(0);
  const [asksForToken, setAsksForToken] = useState(false);
  useEffect(() => {
    document.title = `${place.namespace || VIEWS[place.view]} · vitess-kv`;
  }, [place]);
  return (
    <>
      <header>
        <h1>vitess-kv</h1>
        <nav aria-label="Views">
          {(["keys", "state"] as const).map((view) => (
            <a key={view} href={hashOf({ ...place, view })} aria-current={place.view === view ? "page" : undefined}>
              {VIEWS[view]}
            </a>
          ))}
        </nav>
        <Readiness key={tokens} />
        <button type="button" aria-expanded={asksForToken} onClick={() => setAsksForToken(!asksForToken)}>
          Token …
        </button>
        <label class="choice">
          <input type="checkbox" checked={mayWrite} onChange={(event) => setMayWrite(event.currentTarget.checked)} />
          Allow changes
        </label>
      </header>
      {asksForToken && (
        <TokenForm
          onKept={() => {
            setAsksForToken(false);
            setTokens(tokens + 1);
          }}
        />
      )}
      <main key={tokens}>{place.view === "keys" ? <KeyBrowser {...{ place, go, mayWrite }} /> : <StateView />}</main>
    </>
  );
}

/** Tells whether the store answers, also after it did not. */
function Readiness() {
  const load = useCallback(() => ask("readyz", 4_000), []);
  const { error, value } = useLoaded(load, ASK_MS);
  const isAway = error !== undefined && isPassing(error);
  const text = isAway
    ? `${sentenceOf(error)} Trying again …`
    : isAboutToken(error)
      ? "A token is needed."
      : value
        ? "The database answers."
        : "";
  return (
    <p class="readiness" role="status" data-away={isAway}>
      {text}
    </p>
  );
}

function TokenForm({ onKept }: { onKept: () => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    keepToken(String(given.get("token")).trim());
    onKept();
  };
  return (
    <form class="bar token" aria-label="Token of this tab" onSubmit={submit}>
      <label>
        Token
        <input name="token" type="password" defaultValue={token()} autocomplete="off" pattern="[!-~]*" />
      </label>
      <button type="submit">Use</button>
      <p class="hint">It is kept in this tab until that is closed. Without one here, none is sent.</p>
    </form>
  );
}
