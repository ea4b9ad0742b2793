/** The demo's regions: which are up, which of them this window is linked to, what each lacks, and buttons to kill and revive them. */
import type { Space } from "eyot";

interface Region {
  region: string;
  url: string;
  up: boolean;
}

interface Row {
  item: HTMLLIElement;
  state: HTMLElement;
  behind: HTMLElement;
  button: HTMLButtonElement;
}

const ASK_EVERY_MS = 1_000;

/** `control` is the address of `cargo xtask demo` that starts and ends them. */
export function showRegions(space: Space, control: string): void {
  const list = document.querySelector<HTMLUListElement>("#region-list")!;
  const news = document.querySelector<HTMLElement>("#region-news")!;
  const rows = new Map<string, Row>();
  let regions: Region[] = [];
  let asked = Promise.resolve();
  let waiting = 0;

  const show = (): void => {
    const { relay, behind } = space.status;
    for (const { region, url, up } of regions) {
      const row = rows.get(region) ?? makeRow(region);
      const state = !up ? "down" : relay?.url === url ? "up, linked" : "up";
      set(row.state, state);
      set(row.behind, lacks(behind[region]));
      set(row.button, up ? "Kill" : "Revive");
      row.button.setAttribute("aria-label", `${up ? "Kill" : "Revive"} ${region}`);
      row.item.dataset["state"] = state;
    }
    if (list.inert) set(news, "cargo xtask demo does not answer.");
    else if (regions.length > 0) set(news, summary(regions, relay?.region));
  };

  /** One after the other, or an old answer would be shown after a new one. */
  const ask = (path: string, method: "GET" | "POST"): void => {
    waiting++;
    asked = asked.then(async () => {
      try {
        const response = await fetch(control + path, { method });
        if (!response.ok) throw new Error(`${response.status}`);
        regions = (await response.json()) as Region[];
        list.inert = false;
      } catch {
        list.inert = true;
      }
      waiting--;
      show();
    });
  };

  const makeRow = (region: string): Row => {
    const item = document.createElement("li");
    item.dataset["region"] = region;
    const name = Object.assign(document.createElement("strong"), { textContent: region });
    const state = Object.assign(document.createElement("span"), { className: "state" });
    const behind = Object.assign(document.createElement("span"), { className: "behind" });
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.addEventListener("click", () => {
      const what = regions.find((each) => each.region === region)?.up ? "kill" : "revive";
      ask(`/regions/${region}/${what}`, "POST");
    });
    item.append(name, state, behind, button);
    list.append(item);
    const row = { item, state, behind, button };
    rows.set(region, row);
    return row;
  };

  document.querySelector<HTMLButtonElement>("#cut")!.addEventListener("click", () => {
    for (const { region, up } of regions) if (up) ask(`/regions/${region}/kill`, "POST");
  });
  document.querySelector<HTMLElement>("#regions")!.hidden = false;
  space.subscribe(show);
  setInterval(() => {
    if (document.visibilityState === "visible" && waiting === 0) ask("/regions", "GET");
  }, ASK_EVERY_MS);
  ask("/regions", "GET");
}

function summary(regions: readonly Region[], linked: string | undefined): string {
  const down = regions.filter(({ up }) => !up).map(({ region }) => region);
  const state = down.length === 0 ? "All are up" : `${down.join(" and ")} ${down.length === 1 ? "is" : "are"} down`;
  return `${state}. This window is linked to ${linked ?? "none"}.`;
}

function lacks(edits: number | undefined): string {
  if (edits === undefined) return "not heard of yet";
  if (edits === 0) return "has all your edits";
  return edits === 1 ? "1 edit behind" : `${edits} edits behind`;
}

/** Assistive technology hears of every write to a live element, also of the same words. */
function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
