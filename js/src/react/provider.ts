/** The space of a part of a page. */
import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useRef,
  useState,
  type FunctionComponentElement,
  type ProviderProps,
  type ReactNode,
} from "react";
import { invalid } from "../base/error.js";
import type { Space } from "../space/types.js";

export interface SpaceProviderProps {
  /**
   * Opens the space: `() => openSpace("team", { … })`. It is called once the provider is on the page, never on a server, and
   * the space is closed when the provider leaves it. For another space give the provider another `key`.
   */
  open: () => Promise<Space>;
  /** Shown until the space is open, and by a server. */
  fallback?: ReactNode;
  children?: ReactNode;
}

const SpaceContext = createContext<Space | undefined>(undefined);

/** Opens a space for the components in it. An error of opening is thrown to the nearest error boundary. */
export function SpaceProvider({ open, fallback, children }: SpaceProviderProps): ReactNode {
  const [{ space, failure }, show] = useState<Shown>({});
  const holder = useRef<Holder>(undefined);
  useEffect(() => {
    if (holder.current?.isOver !== false) holder.current = new Holder(open, show);
    return holder.current.hold();
    // Most renders bring another function that opens the same space.
  }, []);
  if (failure !== undefined) throw failure.error;
  if (space === undefined) return fallback;
  return provide(space, children);
}

/** The space of the nearest `SpaceProvider` above. */
export function useSpace(): Space {
  const space = useContext(SpaceContext);
  if (space === undefined) throw invalid("useSpace() is for components in a SpaceProvider");
  return space;
}

interface Shown {
  space?: Space;
  failure?: { error: unknown };
}

/** Holds a space open, from its provider's first effect until after its last one. */
class Holder {
  readonly #opening: Promise<Space>;
  readonly #show: (shown: Shown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  isOver = false;

  constructor(open: () => Promise<Space>, show: (shown: Shown) => void) {
    this.#show = show;
    this.#opening = Promise.resolve().then(open);
    this.#opening.then(
      (space) => !this.isOver && show({ space }),
      (error: unknown) => !this.isOver && show({ failure: { error } }),
    );
  }

  hold(): () => void {
    clearTimeout(this.#timer);
    return () => {
      // StrictMode and Fast Refresh end an effect and begin it again, in one task.
      this.#timer = setTimeout(() => this.#end());
    };
  }

  #end(): void {
    this.isOver = true;
    // A provider that is only hidden comes back, and opens the space anew.
    this.#show({});
    this.#opening.then((space) => space.close()).catch(() => undefined);
  }
}

function provide(space: Space, children: ReactNode): FunctionComponentElement<ProviderProps<Space | undefined>> {
  return createElement(SpaceContext.Provider, { value: space }, children);
}
