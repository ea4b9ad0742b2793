/** What happens in the space while the inspector is there, the latest first. */
import type { DocInfo, LinkInfo, Space, Status, Unsubscribe } from "../space/types.js";
import { list, make, type Panel, say } from "./dom.js";
import { bytes, clock, many, short } from "./format.js";

const ENTRIES_MAX = 200;

interface Entry {
  readonly number: number;
  readonly time: number;
  readonly text: string;
}

export class Log implements Panel {
  readonly title = "Log";
  readonly element: HTMLElement;
  readonly #entries: Entry[] = [];
  readonly #stops: Unsubscribe[] = [];
  readonly #list = make("ol", { "aria-label": "What happened, the latest first" });
  readonly #note = make("p", { class: "empty" }, "Nothing has happened since the inspector is here.");
  #number = 0;
  #isPaused = false;
  #documents: ReadonlyMap<string, DocInfo>;
  #status: Status;
  #others: readonly string[];
  #links: readonly LinkInfo[];

  constructor(
    readonly space: Space,
    readonly changed: () => void,
  ) {
    this.#documents = byId(space.documents());
    this.#status = space.status;
    this.#others = [...space.presence.others.keys()];
    this.#links = space.links();
    this.#stops.push(
      space.subscribeDocuments((documents) => this.#hearDocuments(documents)),
      space.subscribe((status) => this.#hearStatus(status)),
      space.presence.subscribe((others) => this.#hearOthers([...others.keys()])),
    );
    const pause = make("button", { type: "button", "aria-pressed": "false" }, "Pause");
    pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      pause.setAttribute("aria-pressed", String(this.#isPaused));
      this.show();
    });
    this.element = make("div", {}, make("div", { class: "bar" }, pause), this.#note, this.#list);
  }

  show(): void {
    if (this.#isPaused) return;
    say(this.#note, this.#entries.length === 0 ? "Nothing has happened since the inspector is here." : "");
    list(
      this.#list,
      this.#entries,
      ({ number }) => String(number),
      ({ time, text }) =>
        make("li", {}, make("time", { datetime: new Date(time).toISOString() }, clock(time)), make("span", {}, text)),
      () => undefined,
    );
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #hearDocuments(documents: readonly DocInfo[]): void {
    const now = byId(documents);
    for (const [id, info] of now) {
      const before = this.#documents.get(id);
      const what = info.name ?? short(id);
      const commits = info.commits - (before?.commits ?? 0);
      if (commits > 0) {
        const grown = Math.max(0, info.bytes - (before?.bytes ?? 0));
        this.#add(`${before === undefined ? "New document " : ""}${what}: ${many(commits, "commit")}, ${bytes(grown)}`);
      } else if (before === undefined) this.#add(`New document ${what}`);
    }
    for (const [id, { name }] of this.#documents) if (!now.has(id)) this.#add(`${name ?? short(id)} was deleted`);
    this.#documents = now;
  }

  #hearStatus(status: Status): void {
    const before = this.#status;
    this.#status = status;
    if (status.state !== before.state) this.#add(`State: ${status.state}`);
    if (status.relay !== undefined && status.relay.url !== before.relay?.url)
      this.#add(`Linked to the relay of ${status.relay.region}`);
    if (status.unsent === 0 && before.unsent > 0) this.#add("A region has stored everything");
    if (status.quarantined > before.quarantined)
      this.#add(`${many(status.quarantined - before.quarantined, "change")} of others can't be applied`);
    if (status.error !== undefined && status.error.code !== before.error?.code)
      this.#add(`Error ${status.error.code}: ${status.error.message}`);
    this.#hearLinks(status.state === "closed" ? [] : this.space.links());
  }

  #hearLinks(links: readonly LinkInfo[]): void {
    const direct = (all: readonly LinkInfo[]): number => all.filter(({ to }) => to === "replica").length;
    const more = direct(links) - direct(this.#links);
    this.#links = links;
    if (more > 0) this.#add(`${many(more, "direct link")} more`);
    if (more < 0) this.#add(`${many(-more, "direct link")} ended`);
  }

  #hearOthers(others: readonly string[]): void {
    for (const id of others) if (!this.#others.includes(id)) this.#add(`${short(id)} is here`);
    for (const id of this.#others) if (!others.includes(id)) this.#add(`${short(id)} has gone`);
    this.#others = others;
  }

  #add(text: string): void {
    this.#entries.unshift({ number: ++this.#number, time: Date.now(), text });
    this.#entries.length = Math.min(this.#entries.length, ENTRIES_MAX);
    this.changed();
  }
}

function byId(documents: readonly DocInfo[]): ReadonlyMap<string, DocInfo> {
  return new Map(documents.map((document) => [document.id, document]));
}
