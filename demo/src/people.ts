/** Who is here: the windows that have this space open, and what each of them is at. Nothing of it is stored. */
import type { Json, Space } from "eyot";

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

export function showPeople(space: Space): void {
  const list = document.querySelector<HTMLUListElement>("#people")!;
  const me = whoIAm();

  const show = (others: ReadonlyMap<string, Json>): void => {
    const people = [...others.values()].map(personOf).filter((person) => person !== undefined);
    const labelled = people.map((person) => ({ color: person.color, label: label(person) }));
    const everyone = [{ color: me.color, label: `${me.name} (you)` }, ...labelled];
    list.replaceChildren(
      ...everyone.map(({ label, color }) => {
        const item = document.createElement("li");
        item.textContent = label;
        item.style.setProperty("--person", color);
        return item;
      }),
    );
  };
  const tell = (): void => {
    if (space.status.state === "closed") return;
    const at = document.activeElement?.closest<HTMLElement>("[data-place]")?.dataset["place"];
    space.presence.set({ name: me.name, color: me.color, ...(at === undefined ? {} : { at }) });
  };
  space.presence.subscribe(show);
  document.addEventListener("focusin", tell);
  document.addEventListener("focusout", () => setTimeout(tell));
  tell();
  show(space.presence.others);
}

function label({ name, at }: Person): string {
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
