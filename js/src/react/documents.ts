/** Hooks that open documents, and list them. */
import { useCallback, useEffect, useMemo, useReducer, useSyncExternalStore } from "react";
import type { DocId, DocUrl } from "../base/id.js";
import type { Doc, DocInfo, Space } from "../space/types.js";
import type { Storable } from "../value/value.js";
import { listen } from "./listen.js";
import { opened } from "./opened.js";

/**
 * Opens a document. Suspends until it is there; what keeps it from opening (`not-found`, …) is thrown to the nearest error
 * boundary. Components that ask for the same document share one handle, which is closed soon after the last has gone.
 */
export function useDocument<T extends object>(space: Space, id: DocId | DocUrl): Doc<T> {
  return useOpened<T>(space, `id ${id}`, () => space.open<T>(id));
}

/** The document of that name, as `space.named()`; suspends and closes as `useDocument` does. */
export function useNamed<T extends object>(space: Space, name: string, initial: T & Storable<T>): Doc<T> {
  return useOpened<T>(space, `name ${name}`, () => space.named<T>(name, initial));
}

function useOpened<T extends object>(space: Space, key: string, open: () => Promise<Doc<T>>): Doc<T> {
  const [, renderAgain] = useReducer((count: number) => count + 1, 0);
  const entry = opened(space, key, open);
  const doc = entry.read();
  useEffect(() => {
    if (!entry.isLetGo) return entry.use();
    // It took too long from rendering to here.
    renderAgain();
    return undefined;
  }, [entry]);
  return doc;
}

/** The documents that this replica holds. Renders again whenever anything about them changes. */
export function useDocuments(space: Space): readonly DocInfo[] {
  const subscribe = useCallback((listener: () => void) => listen(space.subscribeDocuments, listener), [space]);
  const snapshot = useMemo(() => {
    let last: readonly DocInfo[] | undefined;
    return () => {
      try {
        last = space.documents();
      } catch (error) {
        // The space is closed, and a component may render once more before it hears of that.
        if (last === undefined) throw error;
      }
      return last;
    };
  }, [space]);
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}
