/** The hook for buttons that undo and redo. */
import { useCallback, useSyncExternalStore } from "react";
import type { Space, UndoState } from "../space/types.js";
import { listen } from "./listen.js";

/** What this replica can undo and redo, and how. Renders again when there begins or ceases to be something. */
export function useUndo(space: Space): { undo(): void; redo(): void; canUndo: boolean; canRedo: boolean } {
  const subscribe = useCallback((listener: () => void) => listen(space.subscribeUndo, listener), [space]);
  const state = (): UndoState => space.undoState;
  const { canUndo, canRedo } = useSyncExternalStore(subscribe, state, state);
  const undo = useCallback(() => void space.undo(), [space]);
  const redo = useCallback(() => void space.redo(), [space]);
  return { undo, redo, canUndo, canRedo };
}
