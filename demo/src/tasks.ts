/**
 * The task list: a map of tasks by id, each with its place in the order. Moving a task sets its place alone, so two people who
 * move the same task at once get one task, at one of the two places.
 */
import type { Doc, Space } from "eyot";

import { randomId } from "./id.js";

interface Task {
  title: string;
  done: boolean;
  order: number;
}

interface Tasks {
  tasks: Record<string, Task>;
}

export async function showTasks(space: Space): Promise<void> {
  const doc = await space.named<Tasks>("task list", { tasks: {} });
  const list = document.querySelector<HTMLUListElement>("#tasks")!;
  const empty = document.querySelector<HTMLElement>("#no-tasks")!;
  const input = document.querySelector<HTMLInputElement>("#new-task")!;

  document.querySelector<HTMLFormElement>("#add")!.addEventListener("submit", (event) => {
    event.preventDefault();
    const title = input.value.trim();
    if (title === "") return;
    const order = (inOrder(doc).at(-1)?.[1].order ?? 0) + 1;
    doc.change((draft) => {
      draft.tasks[randomId()] = { title, done: false, order };
    });
    input.value = "";
  });

  const rows = new Map<string, HTMLLIElement>();
  const show = (): void => {
    const tasks = inOrder(doc);
    for (const [id, row] of rows) {
      if (!(id in doc.value.tasks)) {
        row.remove();
        rows.delete(id);
      }
    }
    tasks.forEach(([id, task], index) => {
      const row = rows.get(id) ?? makeRow(doc, id);
      rows.set(id, row);
      update(row, task);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    empty.hidden = tasks.length > 0;
  };
  doc.subscribe(show);
  show();
}

function inOrder(doc: Doc<Tasks>): [string, Task][] {
  return Object.entries(doc.value.tasks).sort(([a, x], [b, y]) => x.order - y.order || (a < b ? -1 : 1));
}

/** A place between the task's next two neighbours in that direction. */
function placeBeyond(doc: Doc<Tasks>, id: string, by: 1 | -1): number | undefined {
  const tasks = inOrder(doc);
  const index = tasks.findIndex(([held]) => held === id);
  const near = tasks[index + by]?.[1].order;
  if (near === undefined) return undefined;
  const far = tasks[index + 2 * by]?.[1].order ?? near + 2 * by;
  return (near + far) / 2;
}

function makeRow(doc: Doc<Tasks>, id: string): HTMLLIElement {
  const edit = (change: (task: Task) => void): void => {
    doc.change((draft) => {
      const task = draft.tasks[id];
      if (task !== undefined) change(task);
    });
  };
  const row = document.createElement("li");
  row.dataset["testid"] = "task";
  const done = element("input", { type: "checkbox" });
  const title = element("input", { type: "text", maxLength: 200 });
  const up = element("button", { type: "button", textContent: "↑" });
  const down = element("button", { type: "button", textContent: "↓" });
  const remove = element("button", { type: "button", textContent: "✕" });
  done.addEventListener("change", () => edit((task) => (task.done = done.checked)));
  title.addEventListener("input", () => edit((task) => (task.title = title.value)));
  const move = (by: 1 | -1, button: HTMLButtonElement): void => {
    const order = placeBeyond(doc, id, by);
    if (order !== undefined) edit((task) => (task.order = order));
    button.focus();
  };
  up.addEventListener("click", () => move(-1, up));
  down.addEventListener("click", () => move(1, down));
  remove.addEventListener("click", () => {
    doc.change((draft) => {
      delete draft.tasks[id];
    });
    document.querySelector<HTMLInputElement>("#new-task")!.focus();
  });
  row.append(done, title, up, down, remove);
  return row;
}

function update(row: HTMLLIElement, task: Task): void {
  const [done, title, up, down, remove] = row.children as unknown as [
    HTMLInputElement,
    HTMLInputElement,
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLButtonElement,
  ];
  row.classList.toggle("done", task.done);
  done.checked = task.done;
  if (title.value !== task.title) title.value = task.title;
  done.ariaLabel = `${task.title}: done`;
  title.ariaLabel = `Rename ${task.title}`;
  up.ariaLabel = `Move ${task.title} up`;
  down.ariaLabel = `Move ${task.title} down`;
  remove.ariaLabel = `Delete ${task.title}`;
}

function element<K extends "input" | "button">(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(name), properties);
}
