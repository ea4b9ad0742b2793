/** Hooks that read: a document's value, or a part of it, and a space's status. */
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Doc, Space, Status } from "../space/types.js";
import type { Value } from "../value/value.js";
import { listen } from "./listen.js";

/** The document's value. Renders again whenever it changes. */
export function useDoc<T extends object>(doc: Doc<T>): Value<T>;
/**
 * What `select` makes of the document's value. Renders again only when that changes. A list or an object that `select`
 * makes anew counts as the same while its items are the same, so `({ tasks }) => tasks.filter(isOpen)` may be selected.
 */
export function useDoc<T extends object, R>(doc: Doc<T>, select: (value: Value<T>) => R): R;
export function useDoc<T extends object, R>(doc: Doc<T>, select?: (value: Value<T>) => R): Value<T> | R {
  const subscribe = useCallback((listener: () => void) => listen(doc.subscribe, listener), [doc]);
  /** What was shown last: a new `select`, which most renders bring, starts from there. */
  const shown = useRef<{ selected: Value<T> | R }>(undefined);
  const snapshot = useMemo(() => {
    if (select === undefined) return () => doc.value;
    let last: { value?: Value<T>; selected: Value<T> | R } | undefined = shown.current;
    return () => {
      const { value } = doc;
      if (last?.value !== value) {
        const selected = select(value);
        last = { value, selected: last !== undefined && alike(last.selected, selected) ? last.selected : selected };
      }
      return last.selected;
    };
  }, [doc, select]);
  const selected = useSyncExternalStore(subscribe, snapshot, snapshot);
  useEffect(() => {
    shown.current = { selected };
  }, [selected]);
  return selected;
}

/** The status of a space. Renders again whenever anything in it changes. */
export function useStatus(space: Space): Status {
  const status = (): Status => space.status;
  return useSyncExternalStore(space.subscribe, status, status);
}

/** Whether two values are the same, or lists or objects of the same items. */
function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && Object.is(a[key], b[key]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
