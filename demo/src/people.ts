/**
 * Who is here. There is no presence over the network yet, so each visible window writes now and then that it was seen, into
 * a small document of the space: honest to within half a minute, and a few commits a minute for each window.
 */
import type { Space } from "eyot";

import { randomId } from "./id.js";

interface Person {
  name: string;
  hue: number;
  seen: number;
}

interface People {
  people: Record<string, Person>;
}

const WRITE_EVERY_MS = 15_000;
const HERE_MS = 40_000;
const FORGET_MS = 24 * 60 * 60 * 1000;
const ANIMALS = ["Heron", "Otter", "Swan", "Vole", "Kingfisher", "Trout", "Dragonfly", "Newt", "Egret", "Beaver"];

export async function showPeople(space: Space): Promise<void> {
  const doc = await space.named<People>("people", { people: {} });
  const list = document.querySelector<HTMLUListElement>("#people")!;
  const { id: own, name, hue } = whoIAm();

  const show = (): void => {
    const now = Date.now();
    const others = Object.entries(doc.value.people)
      .filter(([id, person]) => id !== own && now - person.seen < HERE_MS)
      .map(([, person]) => ({ ...person, label: person.name }));
    const everyone = [{ name, hue, seen: now, label: `${name} (you)` }, ...others];
    list.replaceChildren(
      ...everyone.map((person) => {
        const item = document.createElement("li");
        item.textContent = person.label;
        item.style.setProperty("--person", `hsl(${person.hue} 55% 50%)`);
        return item;
      }),
    );
  };
  const write = (): void => {
    // Nobody sees it sooner for being written offline, and it would count as an edit that waits.
    if (document.visibilityState !== "visible" || space.status.state !== "live") return;
    const now = Date.now();
    doc.change((draft) => {
      draft.people[own] = { name, hue, seen: now };
      for (const [id, person] of Object.entries(draft.people)) {
        if (now - person.seen > FORGET_MS) delete draft.people[id];
      }
    });
  };
  doc.subscribe(show);
  setInterval(write, WRITE_EVERY_MS);
  setInterval(show, WRITE_EVERY_MS / 3);
  document.addEventListener("visibilitychange", write);
  let state = space.status.state;
  space.subscribe((status) => {
    const becameLive = status.state === "live" && state !== "live";
    state = status.state;
    if (becameLive) write();
  });
  write();
  show();
}

/** The same through reloads of this window. */
function whoIAm(): { id: string; name: string; hue: number } {
  const held = sessionStorage.getItem("eyot-demo");
  if (held !== null) return JSON.parse(held) as { id: string; name: string; hue: number };
  const random = crypto.getRandomValues(new Uint16Array(2));
  const me = { id: randomId(), name: ANIMALS[random[0]! % ANIMALS.length]!, hue: random[1]! % 360 };
  sessionStorage.setItem("eyot-demo", JSON.stringify(me));
  return me;
}
