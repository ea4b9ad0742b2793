/** The board: cards in columns. */
import type { Doc } from "eyot";
import { useDoc, useNamed, useSpace } from "eyot/react";
import { memo, useEffect, useRef, type ReactNode } from "react";

import { AddForm } from "./add-form.js";
import { BOARD, COLUMNS, INITIAL_BOARD, type BoardValue, type Card } from "./board-value.js";
import { atEnd, inOrder } from "./items.js";

export function Board(): ReactNode {
  const doc = useNamed<BoardValue>(useSpace(), BOARD, INITIAL_BOARD);
  const add = (title: string): void => {
    const { id, order } = atEnd(doc.value.cards);
    doc.change((draft) => void (draft.cards[id] = { title, column: 0, order }));
  };
  return (
    <section id="board" aria-labelledby="board-title" data-place="board">
      <h2 id="board-title">Board</h2>
      <AddForm id="new-card" label="New card" placeholder="Add a card…" add={add} />
      <div className="columns">
        {COLUMNS.map((name, column) => (
          <Column key={name} doc={doc} column={column} />
        ))}
      </div>
    </section>
  );
}

/** Renders again only when one of its own cards changes. */
function Column({ doc, column }: { doc: Doc<BoardValue>; column: number }): ReactNode {
  const cards = useDoc(doc, ({ cards }) =>
    Object.fromEntries(Object.entries(cards).filter(([, card]) => card.column === column)),
  );
  const name = COLUMNS[column];
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      <ul>
        {inOrder<Card>(cards).map(([id, card]) => (
          <CardRow key={id} doc={doc} id={id} card={card} />
        ))}
      </ul>
    </section>
  );
}

/** The button that moved a card, which has the focus in the next column, too. */
let moved: { id: string; by: 1 | -1 } | undefined;

const CardRow = memo(({ doc, id, card }: { doc: Doc<BoardValue>; id: string; card: Readonly<Card> }): ReactNode => {
  const row = useRef<HTMLLIElement>(null);
  const move = (by: 1 | -1): void => {
    moved = { id, by };
    doc.change((draft) => {
      const card = draft.cards[id];
      if (card !== undefined) card.column += by;
    });
  };
  useEffect(() => {
    if (moved?.id !== id) return;
    const wanted = row.current!.querySelector<HTMLButtonElement>(moved.by === 1 ? ".right" : ".left");
    (wanted ?? row.current!.querySelector("button"))?.focus();
    moved = undefined;
  }, [id]);
  return (
    <li ref={row} data-testid="card">
      <span>{card.title}</span>
      {card.column > 0 && (
        <button
          type="button"
          className="left"
          aria-label={`Move ${card.title} to ${COLUMNS[card.column - 1]}`}
          onClick={() => move(-1)}
        >
          ←
        </button>
      )}
      {card.column < COLUMNS.length - 1 && (
        <button
          type="button"
          className="right"
          aria-label={`Move ${card.title} to ${COLUMNS[card.column + 1]}`}
          onClick={() => move(1)}
        >
          →
        </button>
      )}
      <button
        type="button"
        aria-label={`Delete ${card.title}`}
        onClick={() => {
          doc.change((draft) => void delete draft.cards[id]);
          document.querySelector<HTMLInputElement>("#new-card")!.focus();
        }}
      >
        ✕
      </button>
    </li>
  );
});
