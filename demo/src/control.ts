/** The regions of `cargo xtask demo`: which are up, and what kills, revives and wipes them. */
import { useCallback, useEffect, useRef, useState } from "react";

export interface Region {
  region: string;
  url: string;
  up: boolean;
  /** The address of its relay for who is in each region: what is sent there takes as long as from that place. */
  ways: Readonly<Record<string, string>>;
}

export type Deed = "kill" | "revive" | "wipe";

export interface Regions {
  /** Empty until the control has answered. */
  list: readonly Region[];
  /** The control did not answer the last time that it was asked. */
  isLost: boolean;
  /** Resolves once it is done, and `list` says so. */
  act: (region: string, deed: Deed) => Promise<void>;
}

const ASK_EVERY_MS = 1_000;
/** Where regions are started and ended; empty in a folder of `--static`. */
const CONTROL = String(import.meta.env.VITE_CONTROL ?? "");

export const HAS_CONTROL = CONTROL !== "";

export async function askRegions(path = "/regions", method: "GET" | "POST" = "GET"): Promise<readonly Region[]> {
  const response = await fetch(CONTROL + path, { method });
  if (!response.ok) throw new Error(`cargo xtask demo answers ${response.status}`);
  return (await response.json()) as Region[];
}

export function useRegions(first: readonly Region[] = []): Regions {
  const [list, setList] = useState(first);
  const [isLost, setLost] = useState(false);
  /** One question after the other, or an old answer would be shown after a new one. */
  const asked = useRef(Promise.resolve());
  const waiting = useRef(0);

  const ask = useCallback((path: string, method: "GET" | "POST"): Promise<void> => {
    waiting.current++;
    asked.current = asked.current.then(async () => {
      try {
        const answer = await askRegions(path, method);
        setList((held) => (JSON.stringify(held) === JSON.stringify(answer) ? held : answer));
        setLost(false);
      } catch {
        setLost(true);
      }
      waiting.current--;
    });
    return asked.current;
  }, []);

  useEffect(() => {
    void ask("/regions", "GET");
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && waiting.current === 0) void ask("/regions", "GET");
    }, ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, [ask]);

  const act = useCallback((region: string, deed: Deed) => ask(`/regions/${region}/${deed}`, "POST"), [ask]);
  return { list, isLost, act };
}
