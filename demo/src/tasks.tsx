/** The task list. */
import type { Doc } from "eyot";
import { useDoc, useNamed, useSpace } from "eyot/react";
import { memo, type ReactNode } from "react";

import { AddForm } from "./add-form.js";
import { BOARD, INITIAL_BOARD, type BoardValue } from "./board-value.js";
import { atEnd, inOrder, placeBeyond, TITLE_CHARACTERS_MAX, type Item } from "./items.js";

interface Task extends Item {
  done: boolean;
}

interface TasksValue {
  tasks: Record<string, Task>;
}

const INITIAL: TasksValue = { tasks: {} };

export function Tasks(): ReactNode {
  const space = useSpace();
  const doc = useNamed<TasksValue>(space, "task list", INITIAL);
  const board = useNamed<BoardValue>(space, BOARD, INITIAL_BOARD);
  const tasks = useDoc(doc, ({ tasks }) => tasks);
  const add = (title: string): void => {
    const { id, order } = atEnd(doc.value.tasks);
    doc.change((draft) => void (draft.tasks[id] = { title, done: false, order }));
  };
  const all = inOrder<Task>(tasks);
  return (
    <section aria-labelledby="tasks-title" data-place="tasks">
      <h2 id="tasks-title">Tasks</h2>
      <AddForm id="new-task" label="New task" placeholder="Add a task…" add={add} />
      <ul id="tasks">
        {all.map(([id, task]) => (
          <Row key={id} doc={doc} board={board} id={id} task={task} />
        ))}
      </ul>
      {all.length === 0 && <p>Nothing to do yet.</p>}
    </section>
  );
}

interface RowProps {
  doc: Doc<TasksValue>;
  board: Doc<BoardValue>;
  id: string;
  task: Readonly<Task>;
}

const Row = memo(({ doc, board, id, task }: RowProps): ReactNode => {
  const space = useSpace();
  const edit = (change: (task: Task) => void): void => {
    doc.change((draft) => {
      const task = draft.tasks[id];
      if (task !== undefined) change(task);
    });
  };
  const move = (by: 1 | -1): void => {
    const order = placeBeyond(doc.value.tasks, id, by);
    if (order !== undefined) edit((task) => (task.order = order));
  };
  const remove = (): void => void doc.change((draft) => void delete draft.tasks[id]);
  const focusField = (): void => document.querySelector<HTMLInputElement>("#new-task")!.focus();
  /** One commit: nobody ever sees it in both places, or in none. */
  const toBoard = (): void => {
    space.transact(() => {
      remove();
      const { order } = atEnd(board.value.cards);
      board.change((draft) => void (draft.cards[id] = { title: task.title, column: task.done ? 2 : 0, order }));
    });
    focusField();
  };
  return (
    <li data-testid="task" className={task.done ? "done" : ""}>
      <input
        type="checkbox"
        aria-label={`${task.title}: done`}
        checked={task.done}
        onChange={({ target }) => edit((task) => (task.done = target.checked))}
      />
      <input
        type="text"
        aria-label={`Rename ${task.title}`}
        maxLength={TITLE_CHARACTERS_MAX}
        value={task.title}
        onChange={({ target }) => edit((task) => (task.title = target.value))}
      />
      <button type="button" aria-label={`Move ${task.title} up`} onClick={() => move(-1)}>
        ↑
      </button>
      <button type="button" aria-label={`Move ${task.title} down`} onClick={() => move(1)}>
        ↓
      </button>
      <button type="button" aria-label={`Put ${task.title} on the board`} onClick={toBoard}>
        ▦
      </button>
      <button
        type="button"
        aria-label={`Delete ${task.title}`}
        onClick={() => {
          remove();
          focusField();
        }}
      >
        ✕
      </button>
    </li>
  );
});
