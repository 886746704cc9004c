// The place as it is followed while the page is open.

import { useLayoutEffect, useState } from "preact/hooks";
import { hashOf, type Place, placeOf } from "./place.ts";

/** The place, and what goes to another: the same but for what is given. */
export function usePlace(): [Place, (change: Partial<Place>) => void] {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useLayoutEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const go = (change: Partial<Place>) => {
    location.hash = hashOf({ ...placeOf(location.hash), ...change });
  };
  return [place, go];
}
