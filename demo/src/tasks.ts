/** The task list. Each task is an object of its own in a shared list, so edits of different tasks never meet. */
import type { Doc, Space } from "eyot";

interface Task {
  id: string;
  title: string;
  done: boolean;
}

interface Tasks {
  tasks: Task[];
}

export async function showTasks(space: Space): Promise<void> {
  const doc = await space.named<Tasks>("tasks", { tasks: [] });
  const list = document.querySelector<HTMLUListElement>("#tasks")!;
  const empty = document.querySelector<HTMLElement>("#no-tasks")!;
  const input = document.querySelector<HTMLInputElement>("#new-task")!;

  document.querySelector<HTMLFormElement>("#add")!.addEventListener("submit", (event) => {
    event.preventDefault();
    const title = input.value.trim();
    if (title === "") return;
    doc.change((draft) => draft.tasks.push({ id: crypto.randomUUID(), title, done: false }));
    input.value = "";
  });

  const rows = new Map<string, HTMLLIElement>();
  const show = (): void => {
    const tasks = doc.value.tasks;
    const ids = new Set(tasks.map((task) => task.id));
    for (const [id, row] of rows) {
      if (!ids.has(id)) {
        row.remove();
        rows.delete(id);
      }
    }
    tasks.forEach((task, index) => {
      let row = rows.get(task.id);
      if (row === undefined) {
        row = makeRow(doc, task.id);
        rows.set(task.id, row);
      }
      update(row, task);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    empty.hidden = tasks.length > 0;
  };
  doc.subscribe(show);
  show();
}

function makeRow(doc: Doc<Tasks>, id: string): HTMLLIElement {
  const edit = (change: (tasks: Task[], index: number) => void): void => {
    doc.change((draft) => {
      const index = draft.tasks.findIndex((task) => task.id === id);
      if (index >= 0) change(draft.tasks, index);
    });
  };
  const row = document.createElement("li");
  row.dataset["testid"] = "task";
  const done = element("input", { type: "checkbox" });
  const title = element("input", { type: "text", maxLength: 200 });
  const up = element("button", { type: "button", textContent: "↑" });
  const down = element("button", { type: "button", textContent: "↓" });
  const remove = element("button", { type: "button", textContent: "✕" });
  done.addEventListener("change", () => edit((tasks, index) => (tasks[index]!.done = done.checked)));
  title.addEventListener("input", () => edit((tasks, index) => (tasks[index]!.title = title.value)));
  const move = (by: number, button: HTMLButtonElement): void => {
    edit((tasks, index) => {
      const to = index + by;
      if (to < 0 || to >= tasks.length) return;
      const task = { ...tasks[index]! };
      tasks.splice(index, 1);
      tasks.splice(to, 0, task);
    });
    button.focus();
  };
  up.addEventListener("click", () => move(-1, up));
  down.addEventListener("click", () => move(1, down));
  remove.addEventListener("click", () => {
    edit((tasks, index) => tasks.splice(index, 1));
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
  title.ariaLabel = "Task";
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
