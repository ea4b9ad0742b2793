/**
 * `<eyot-inspector>`: what a space holds and does, for whoever builds an application on it. It uses what is public, and
 * changes nothing. All of it is in a shadow root, with styles that a strict policy allows.
 */
import type { Space, Unsubscribe } from "../space/types.js";
import { make, type Panel, say } from "./dom.js";
import { Documents } from "./documents.js";
import { Links, People } from "./links.js";
import { Log } from "./log.js";
import { Overview } from "./overview.js";
import { styles } from "./style.js";

/** What is shown is at most so old: round trips and traffic change without an event. */
const LOOK_EVERY_MS = 1_000;
/** Events come in bursts, and a person reads more slowly. */
const REST_MS = 100;

let made = 0;

// A server may import this, too, and has no elements.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class EyotInspector extends Base {
  #space: Space | undefined;
  #view: View | undefined;

  /** The space that is shown. Another one may be set at any time, and undefined for none. */
  get space(): Space | undefined {
    return this.#space;
  }

  set space(space: Space | undefined) {
    if (space === this.#space) return;
    this.#space = space;
    if (this.isConnected) this.#open();
  }

  connectedCallback(): void {
    // It may have been set before this class was there: then it hides the accessor.
    if (Object.hasOwn(this, "space")) {
      const { space } = this;
      delete (this as { space?: Space }).space;
      this.#space = space;
    }
    this.#open();
  }

  disconnectedCallback(): void {
    this.#view?.close();
    this.#view = undefined;
  }

  #open(): void {
    this.#view?.close();
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles()];
    this.#view = this.#space === undefined ? undefined : new View(this.#space);
    root.replaceChildren(this.#view?.element ?? make("header", {}, make("p", {}, "No space is set.")));
  }
}

/** What is shown of one space. */
class View {
  readonly element: HTMLElement;
  readonly #space: Space;
  readonly #panels: readonly Panel[];
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #bodies: readonly HTMLElement[];
  readonly #state = make("p");
  readonly #stops: Unsubscribe[] = [];
  readonly #beat: ReturnType<typeof setInterval>;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #chosen = 0;

  constructor(space: Space) {
    this.#space = space;
    const changed = (): void => this.#later();
    const isOpen = space.status.state !== "closed";
    this.#panels = isOpen
      ? [
          new Overview(space),
          new Documents(space, changed),
          new Log(space, changed),
          new Links(space),
          new People(space),
        ]
      : [new Overview(space)];
    const name = `eyot-inspector-${++made}`;
    this.#tabs = this.#panels.map(({ title }, index) =>
      make(
        "button",
        { type: "button", role: "tab", id: `${name}-tab-${index}`, "aria-controls": `${name}-panel-${index}` },
        title,
      ),
    );
    this.#bodies = this.#panels.map(({ element }, index) => {
      const labels = { id: `${name}-panel-${index}`, "aria-labelledby": `${name}-tab-${index}` };
      return make("div", { role: "tabpanel", tabindex: "0", ...labels }, element);
    });
    const tabs = make("div", { role: "tablist", "aria-label": "What is shown" }, ...this.#tabs);
    const title = make("h2", { id: `${name}-title` }, `Space ${space.name}`);
    this.element = make(
      "section",
      { "aria-labelledby": `${name}-title` },
      make("header", {}, title, this.#state),
      tabs,
      ...this.#bodies,
    );
    this.#tabs.forEach((tab, index) => tab.addEventListener("click", () => this.#choose(index)));
    tabs.addEventListener("keydown", (event) => this.#move(event));
    this.#stops.push(space.subscribe(changed), space.presence.subscribe(changed));
    if (isOpen) this.#stops.push(space.subscribeDocuments(changed));
    this.#beat = setInterval(() => document.visibilityState === "visible" && this.#show(), LOOK_EVERY_MS);
    this.#choose(0);
  }

  close(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#rest);
    for (const stop of this.#stops) stop();
    for (const panel of this.#panels) panel.close();
  }

  #choose(index: number): void {
    this.#chosen = index;
    this.#tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === index));
      // The tab key goes to the chosen tab, and from there into its panel; arrows go to the others.
      tab.tabIndex = at === index ? 0 : -1;
      this.#bodies[at]!.hidden = at !== index;
    });
    this.#show();
  }

  #move(event: KeyboardEvent): void {
    const last = this.#tabs.length - 1;
    const to = {
      ArrowRight: this.#chosen === last ? 0 : this.#chosen + 1,
      ArrowLeft: this.#chosen === 0 ? last : this.#chosen - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#choose(to);
    this.#tabs[to]!.focus();
  }

  #later(): void {
    this.#rest ??= setTimeout(() => {
      this.#rest = undefined;
      this.#show();
    }, REST_MS);
  }

  #show(): void {
    const { state, unsent } = this.#space.status;
    say(this.#state, unsent === 0 ? state : `${state}, ${unsent} to be stored by a region`);
    this.#panels[this.#chosen]!.show();
  }
}
