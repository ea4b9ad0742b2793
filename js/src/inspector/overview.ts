/** The first panel: the picture, the status, and what each region lacks. */
import type { Space } from "../space/types.js";
import { fillRow, list, make, type Panel, row, say, table } from "./dom.js";
import { many, milliseconds } from "./format.js";
import { Picture } from "./picture.js";

export class Overview implements Panel {
  readonly title = "Space";
  readonly element = make("div");
  readonly #picture: Picture;
  readonly #facts = make("dl");
  readonly #regions = table("What each region lacks", "Region", "Commits of this replica");

  constructor(readonly space: Space) {
    this.#picture = new Picture(space);
    this.element.append(this.#picture.element, this.#facts, this.#regions.element);
  }

  show(): void {
    this.#picture.show();
    list(
      this.#facts,
      facts(this.space).flatMap(([name, text]) => [
        { tag: "dt" as const, name, text: name },
        { tag: "dd" as const, name, text },
      ]),
      ({ tag, name }) => `${tag} ${name}`,
      ({ tag }) => make(tag),
      (element, { text }) => say(element, text),
    );
    const regions = Object.entries(this.space.status.behind);
    list(
      this.#regions.body,
      regions,
      ([name]) => name,
      () => row(2),
      (element, [name, lacks]) => fillRow(element, name, lacks === 0 ? "none" : String(lacks)),
    );
    say(this.#regions.empty, regions.length === 0 ? "No region has said yet what it has." : "");
  }

  close(): void {}
}

function facts({ status, online }: Space): [string, string][] {
  const { state, relay, synced, unsaved, unsent, quarantined, storage, error } = status;
  const kept = {
    true: ", which the browser has promised not to evict",
    false: ", which the browser may evict",
    undefined: "",
  };
  return [
    ["State", online ? state : `${state} (taken offline by the application)`],
    ["Relay", relay === undefined ? "none" : `${relay.url}, region ${relay.region}, ${milliseconds(relay.rttMs)}`],
    ["Caught up", synced ? "with a relay, since it was opened" : "not yet with a relay"],
    ["To disk", unsaved === 0 ? "everything is saved" : `${many(unsaved, "commit")} to be saved`],
    ["To a region", unsent === 0 ? "nothing waits" : `${many(unsent, "commit")} to be stored by any region`],
    ["Storage", `${storage.kind}${kept[String(storage.persisted) as keyof typeof kept]}`],
    [
      "Quarantine",
      quarantined === 0
        ? "empty"
        : `${many(quarantined, "change")} of others held and not applied: over the budget, malformed, or of a fork`,
    ],
    ["Error", error === undefined ? "none" : `${error.code}: ${error.message}`],
  ];
}
