/** A hook over who is here. */
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { EyotError } from "../base/error.js";
import type { Space } from "../space/types.js";
import type { Json } from "../value/value.js";
import { listen } from "./listen.js";

const NOBODY: ReadonlyMap<string, Json> = new Map();

/**
 * What others show of themselves, by their ids, and what this one shows: `own`, for as long as the component is there. A
 * process shows one thing: of several components that give an `own`, the last that has changed counts. Renders again
 * whenever somebody shows something else; what others show is what they wrote, whatever `P` says.
 */
export function usePresence<P extends Json>(space: Space, own?: P): ReadonlyMap<string, P> {
  const { presence } = space;
  const subscribe = useCallback((listener: () => void) => listen(presence.subscribe, listener), [presence]);
  const others = useSyncExternalStore(
    subscribe,
    () => presence.others,
    () => NOBODY,
  );
  const shows = own !== undefined;
  useEffect(() => {
    if (own !== undefined) show(space, own);
  }, [space, own]);
  useEffect(() => {
    if (!shows) return undefined;
    return () => show(space, undefined);
  }, [space, shows]);
  return others as ReadonlyMap<string, P>;
}

/** A space that is closed shows nothing. */
function show(space: Space, state: Json | undefined): void {
  try {
    space.presence.set(state);
  } catch (error) {
    if (!(error instanceof EyotError && error.code === "closed")) throw error;
  }
}
