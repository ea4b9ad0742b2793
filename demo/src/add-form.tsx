/** A field and a button that add an item by its title. */
import { useRef, type ReactNode } from "react";

import { TITLE_CHARACTERS_MAX } from "./items.js";

interface Props {
  id: string;
  label: string;
  placeholder: string;
  add: (title: string) => void;
}

export function AddForm({ id, label, placeholder, add }: Props): ReactNode {
  const field = useRef<HTMLInputElement>(null);
  const submit = (): void => {
    const title = field.current!.value.trim();
    if (title === "") return;
    add(title);
    field.current!.value = "";
  };
  return (
    <form
      className="add"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label className="hidden" htmlFor={id}>
        {label}
      </label>
      <input
        ref={field}
        id={id}
        data-testid={id}
        autoComplete="off"
        maxLength={TITLE_CHARACTERS_MAX}
        placeholder={placeholder}
      />
      <button type="submit">Add</button>
    </form>
  );
}
