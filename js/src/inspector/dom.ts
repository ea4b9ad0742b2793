/** What the inspector makes its elements with. Nothing here writes HTML or styles, which a strict policy would refuse. */

/** The panels of the inspector, each about one thing. */
export interface Panel {
  readonly title: string;
  readonly element: HTMLElement;
  /** Shows how things are now. Called at most a few times a second, and only while the panel is seen. */
  show(): void;
  /** Lets go of what it holds of the space. */
  close(): void;
}

type Attributes = Readonly<Record<string, string>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text where it is another one, so that what is selected or read out stays as it is. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in their order. What is there already for a key stays the same element, with
 * its focus and its place.
 */
export function list<T, E extends Element>(
  parent: Element,
  items: readonly T[],
  key: (item: T) => string,
  create: (item: T) => E,
  fill: (element: E, item: T) => void,
): void {
  const held = new Map([...parent.children].map((child) => [child.getAttribute("data-key"), child]));
  items.forEach((item, index) => {
    const name = key(item);
    let element = held.get(name) as E | undefined;
    held.delete(name);
    if (element === undefined) {
      element = create(item);
      element.setAttribute("data-key", name);
    }
    fill(element, item);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
  for (const gone of held.values()) gone.remove();
}

/** A table with a caption that is read out, and a body to be filled. */
export function table(
  caption: string,
  ...columns: string[]
): { element: HTMLElement; body: HTMLElement; empty: HTMLElement } {
  const body = make("tbody");
  const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
  const empty = make("p", { class: "empty" });
  const whole = make("table", {}, make("caption", {}, caption), make("thead", {}, head), body);
  // What is wider than the panel is scrolled, by keyboard too.
  const scrolled = make("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": caption }, whole);
  return { element: make("div", {}, scrolled, empty), body, empty };
}

/** A row whose first cell names it. */
export function row(cells: number): HTMLTableRowElement {
  const rest = Array.from({ length: cells - 1 }, () => make("td"));
  return make("tr", {}, make("th", { scope: "row" }), ...rest);
}

export function fillRow(element: Element, ...texts: string[]): void {
  texts.forEach((text, index) => say(element.children[index]!, text));
}
