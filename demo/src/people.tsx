/** Who is here: the windows that have this space open, and what each of them is at. Nothing of it is stored. */
import type { Json } from "eyot";
import { usePresence, useSpace } from "eyot/react";
import { useEffect, useMemo, useState, type CSSProperties, type ReactNode } from "react";

interface Person {
  name: string;
  /** As `#rrggbb`; the editor draws carets in it. */
  color: string;
  /** What has the focus there. */
  at?: string;
}

const ANIMALS = ["Heron", "Otter", "Swan", "Vole", "Kingfisher", "Trout", "Dragonfly", "Newt", "Egret", "Beaver"];
/** Each is seen well on light and on dark. */
const COLORS = ["#c2410c", "#a16207", "#4d7c0f", "#047857", "#0e7490", "#2563eb", "#7c3aed", "#be185d"];
const NAME_MAX = 40;

export function People(): ReactNode {
  const [me] = useState(whoIAm);
  const at = useFocusedPlace();
  const own = useMemo(() => ({ ...me, ...(at === undefined ? {} : { at }) }), [me, at]);
  const others = usePresence<Json>(useSpace(), own);
  return (
    <ul id="people" data-testid="people" aria-label="Who is here">
      <Someone color={me.color} label={`${me.name} (you)`} />
      {[...others].map(([id, state]) => {
        const person = personOf(state);
        return person && <Someone key={id} color={person.color} label={labelOf(person)} />;
      })}
    </ul>
  );
}

function Someone({ color, label }: { color: string; label: string }): ReactNode {
  return <li style={{ "--person": color } as CSSProperties}>{label}</li>;
}

/** The name of the part of the page that has the focus. */
function useFocusedPlace(): string | undefined {
  const [place, setPlace] = useState<string>();
  useEffect(() => {
    const look = (): void => setPlace(document.activeElement?.closest<HTMLElement>("[data-place]")?.dataset["place"]);
    // While the focus moves, nothing has it.
    const later = (): void => void setTimeout(look);
    document.addEventListener("focusin", look);
    document.addEventListener("focusout", later);
    return () => {
      document.removeEventListener("focusin", look);
      document.removeEventListener("focusout", later);
    };
  }, []);
  return place;
}

function labelOf({ name, at }: Person): string {
  return at === undefined ? name.slice(0, NAME_MAX) : `${name.slice(0, NAME_MAX)}, at the ${at.slice(0, NAME_MAX)}`;
}

/** Whoever opens the space may say anything. */
function personOf(state: Json): Person | undefined {
  if (typeof state !== "object" || state === null) return undefined;
  const { name, color, at } = state as Record<string, unknown>;
  if (typeof name !== "string" || typeof color !== "string" || !/^#[0-9a-f]{6}$/.test(color)) return undefined;
  return typeof at === "string" ? { name, color, at } : { name, color };
}

/** The same through reloads of this window. */
function whoIAm(): Person {
  const held = sessionStorage.getItem("eyot-demo-person");
  if (held !== null) return JSON.parse(held) as Person;
  const random = crypto.getRandomValues(new Uint16Array(2));
  const me = { name: ANIMALS[random[0]! % ANIMALS.length]!, color: COLORS[random[1]! % COLORS.length]! };
  sessionStorage.setItem("eyot-demo-person", JSON.stringify(me));
  return me;
}
