/** Who is here: the windows that have this space open, and what each of them is at. Nothing of it is stored. */
import type { Json, Space } from "eyot";

interface Person {
  name: string;
  hue: number;
  /** What has the focus there. */
  at?: string;
}

const ANIMALS = ["Heron", "Otter", "Swan", "Vole", "Kingfisher", "Trout", "Dragonfly", "Newt", "Egret", "Beaver"];
const NAME_MAX = 40;

export function showPeople(space: Space): void {
  const list = document.querySelector<HTMLUListElement>("#people")!;
  const me = whoIAm();

  const show = (others: ReadonlyMap<string, Json>): void => {
    const people = [...others.values()].map(personOf).filter((person) => person !== undefined);
    const labelled = people.map((person) => ({ hue: person.hue, label: label(person) }));
    const everyone = [{ hue: me.hue, label: `${me.name} (you)` }, ...labelled];
    list.replaceChildren(
      ...everyone.map(({ label, hue }) => {
        const item = document.createElement("li");
        item.textContent = label;
        item.style.setProperty("--person", `hsl(${hue} 55% 50%)`);
        return item;
      }),
    );
  };
  const tell = (): void => {
    if (space.status.state === "closed") return;
    const at = document.activeElement?.closest<HTMLElement>("[data-place]")?.dataset["place"];
    space.presence.set({ name: me.name, hue: me.hue, ...(at === undefined ? {} : { at }) });
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
  const { name, hue, at } = state as Record<string, unknown>;
  if (typeof name !== "string" || typeof hue !== "number") return undefined;
  return typeof at === "string" ? { name, hue, at } : { name, hue };
}

/** The same through reloads of this window. */
function whoIAm(): { name: string; hue: number } {
  const held = sessionStorage.getItem("eyot-demo");
  if (held !== null) return JSON.parse(held) as { name: string; hue: number };
  const random = crypto.getRandomValues(new Uint16Array(2));
  const me = { name: ANIMALS[random[0]! % ANIMALS.length]!, hue: random[1]! % 360 };
  sessionStorage.setItem("eyot-demo", JSON.stringify(me));
  return me;
}
