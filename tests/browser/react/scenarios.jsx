/** What `react.test.mjs` lets happen in a page. Each gives back what was seen. */
import * as eyot from "eyot";
import * as React from "react";
import {
  SpaceProvider,
  useDoc,
  useDocument,
  useDocuments,
  useNamed,
  usePresence,
  useQuery,
  useSpace,
  useStatus,
  useUndo,
} from "eyot/react";
import {
  Component,
  startTransition,
  StrictMode,
  Suspense,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  version,
} from "react";
import { flushSync } from "react-dom";
import { createRoot, hydrateRoot } from "react-dom/client";
import { App } from "./app.jsx";

const { memory, openSpace } = eyot;
const WAIT_MS = 20_000;
let places = 0;

export async function opens() {
  let opened = 0;
  let space;
  const open = async () => {
    opened += 1;
    return (space = await openSpace("opens", { storage: memory() }));
  };
  const Name = () => useSpace().name;
  const place = show(
    <SpaceProvider open={open} fallback="opening">
      <Name />
    </SpaceProvider>,
  );
  const first = place.text();
  await until(() => place.text() === "opens");
  const state = space.status.state;
  place.leave();
  await until(() => space.status.state === "closed");
  return { version, first, opened, state };
}

export async function doesNotOpen() {
  let isThere = false;
  const open = () => (isThere ? openSpace("there", { storage: memory() }) : openSpace(""));
  const Name = () => useSpace().name;
  const place = show(
    <Boundary>
      <SpaceProvider open={open}>
        <Name />
      </SpaceProvider>
    </Boundary>,
  );
  await until(() => place.text() === "failed: invalid");
  isThere = true;
  place.tryAgain();
  await until(() => place.text() === "there");
  place.leave();

  const outside = show(
    <Boundary>
      <Name />
    </Boundary>,
  );
  await until(() => outside.text() === "failed: invalid");
  outside.leave();
}

/** A space that is opened by nobody's component. */
const plain = (name) => openSpace(name, { storage: memory() });

/** A document that nobody has open. */
function stored(space, value) {
  const doc = space.create(value);
  doc.close();
  return doc.id;
}

const isClosed = (doc) => {
  try {
    return doc.heads === undefined;
  } catch ({ code }) {
    return code === "closed";
  }
};

export async function suspends() {
  const space = await plain("suspends");
  const [id, other] = [stored(space, { title: "one" }), stored(space, { title: "two" })];
  const { open } = space;
  let opened = 0;
  space.open = (...all) => ((opened += 1), open(...all));
  const docs = new Map();
  const Title = ({ id }) => {
    const doc = useDocument(space, id);
    docs.set(id, doc);
    return useDoc(doc).title;
  };
  const inSuspense = (ids) => (
    <Suspense fallback="loading">
      {ids.map((id, at) => (
        <Title key={at} id={id} />
      ))}
    </Suspense>
  );
  const place = show(inSuspense([id, id]));
  const first = place.text();
  await until(() => place.text() === "oneone");
  const openedOnce = opened;

  // One that comes and goes later is closed; the one in use is still open then.
  const passing = show(inSuspense([other]));
  await until(() => passing.text() === "two");
  passing.leave();
  await until(() => isClosed(docs.get(other)));
  const stays = !isClosed(docs.get(id));
  docs.get(id).change((draft) => void (draft.title = "new"));
  await until(() => place.text() === "newnew");

  // Another document in the same place.
  place.show(inSuspense([id, other]));
  await until(() => place.text() === "newtwo");
  place.leave();
  await until(() => isClosed(docs.get(id)) && isClosed(docs.get(other)));
  await space.close();
  return { first, openedOnce, stays };
}

/** What React keeps while it is hidden: its effects end, and begin again with the same state. */
export async function hides() {
  const { Activity } = React;
  if (Activity === undefined) return "there is no Activity";
  const space = await plain("hides");
  const id = stored(space, { title: "one" });
  const spaces = [];
  const open = async () => {
    spaces.push(await plain("hides"));
    return spaces.at(-1);
  };
  let doc;
  const Title = () => useDoc((doc = useDocument(space, id))).title;
  const Name = () => `${useSpace().name} ${useStatus(useSpace()).state}`;
  const both = (mode) => (
    <Activity mode={mode}>
      <Suspense fallback="loading">
        <Title />{" "}
      </Suspense>
      <SpaceProvider open={open} fallback="opening">
        <Name />
      </SpaceProvider>
    </Activity>
  );
  const place = show(both("visible"));
  await until(() => place.text() === "one hides local");
  const [first, before] = [doc, spaces.length];
  place.show(both("hidden"));
  await until(() => isClosed(first) && spaces[0].status.state === "closed");
  place.show(both("visible"));
  await until(() => place.text() === "one hides local" && !isClosed(doc));
  doc.change((draft) => void (draft.title = "two"));
  await until(() => place.text() === "two hides local");
  place.leave();
  await space.close();
  return [before, spaces.length];
}

export async function isNotFound() {
  const [space, elsewhere] = [await plain("missing"), await plain("missing")];
  const { id } = elsewhere.create({ title: "found" });
  const Title = () => useDoc(useDocument(space, id)).title;
  const place = show(
    <Boundary>
      <Suspense fallback="loading">
        <Title />
      </Suspense>
    </Boundary>,
  );
  await until(() => place.text() === "failed: not-found");
  link(space, elsewhere);
  await until(() => space.documents().length === 1);
  place.tryAgain();
  await until(() => place.text() === "found");
  place.leave();
  await Promise.all([space.close(), elsewhere.close()]);
}

export async function selects() {
  const space = await plain("selects");
  const doc = space.create({ title: "list", tasks: [{ text: "a", done: false }], other: 0 });
  const renders = { whole: 0, title: 0, open: 0 };
  const Whole = () => (useCommits(renders, "whole"), useDoc(doc).other);
  const Title = () => (useCommits(renders, "title"), useDoc(doc, ({ title }) => title));
  // A list that is another one each time, by a function that is another one each time.
  const Open = () => {
    useCommits(renders, "open");
    const [, again] = useState(0);
    Open.again = again;
    return useDoc(doc, ({ tasks }) => tasks.filter(({ done }) => !done)).map(({ text }) => text);
  };
  const place = show(
    <>
      <Whole />
      <Title />
      <Open />
    </>,
  );
  const seen = [];
  const look = async (text) => {
    await until(() => place.text() === text);
    seen.push({ ...renders });
    Object.assign(renders, { whole: 0, title: 0, open: 0 });
  };
  await look("0lista");
  const change = (fn) => flushSync(() => void doc.change(fn));
  change((draft) => void (draft.other = 1));
  await look("1lista");
  flushSync(() => Open.again(1));
  change((draft) => void (draft.other = 2));
  await look("2lista");
  change((draft) => void (draft.title = "all"));
  await look("2alla");
  change((draft) => void draft.tasks.push({ text: "b", done: true }, { text: "c", done: false }));
  await look("2allac");
  place.leave();
  await space.close();
  return seen;
}

export async function batches() {
  const space = await plain("batches");
  const docs = [space.create({ n: 0 }), space.create({ n: 0 })];
  const renders = { both: 0 };
  const Both = () => {
    useCommits(renders, "both");
    return `${useDoc(docs[0]).n} ${useDoc(docs[1]).n}`;
  };
  const place = show(<Both />);
  await until(() => place.text() === "0 0");
  renders.both = 0;
  for (let n = 1; n <= 50; n++) for (const doc of docs) doc.change((draft) => void (draft.n = n));
  await until(() => place.text() === "50 50");
  place.leave();
  await space.close();
  return renders.both;
}

/** A slow render that gives way to others, while the document changes. */
export async function tears() {
  const space = await plain("tears");
  const doc = space.create({ n: 0 });
  let [rendering, changedMeanwhile] = [false, 0];
  const Slow = () => {
    rendering = true;
    for (const end = performance.now() + 3; performance.now() < end;);
    return <i>{useDoc(doc).n}</i>;
  };
  const torn = [];
  const Page = () => {
    const [slow, setSlow] = useState(false);
    Page.begin = () => startTransition(() => setSlow(true));
    const box = useRef(null);
    useLayoutEffect(() => {
      const shown = [...box.current.querySelectorAll("i")].map(({ textContent }) => textContent);
      if (new Set(shown).size > 1) torn.push(shown.join());
    });
    return <p ref={box}>{slow && Array.from({ length: 30 }, (_, at) => <Slow key={at} />)}</p>;
  };
  const place = show(<Page />, { strict: false });
  await until(() => Page.begin !== undefined);
  Page.begin();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    if (place.element.querySelector("i") !== null) return port1.close();
    if (rendering && changedMeanwhile < 5) {
      changedMeanwhile += 1;
      doc.change((draft) => void (draft.n += 1));
    }
    port2.postMessage(null);
  };
  port2.postMessage(null);
  await until(() => place.text() === String(doc.value.n).repeat(30));
  place.leave();
  await space.close();
  return { torn, changedMeanwhile };
}

export async function lists() {
  const space = await plain("lists");
  const List = () => `${useStatus(space).state}: ${useDocuments(space).length}`;
  const place = show(<List />);
  await until(() => place.text() === "local: 0");
  const doc = space.create({ n: 1 });
  await until(() => place.text() === "local: 1");
  space.create({ n: 2 });
  space.delete(doc.id);
  await until(() => place.text() === "local: 1");
  await space.close();
  // What was there last stays, where a component renders once more.
  await until(() => place.text() === "closed: 1");
  place.leave();
}

/** What matches is followed, by an object and by a function that is another one at each render. */
export async function queries() {
  const space = await plain("queries");
  const [first, second] = [space.create({ n: 2, tag: "a" }), space.create({ n: 1, tag: "a" })];
  space.create({ n: 3, tag: "b" });
  second.close();
  let renders = 0;
  const List = ({ least }) => {
    renders += 1;
    const tagged = useQuery(space, { where: { tag: "a" }, orderBy: "n" });
    const large = useQuery(space, { where: ({ n }) => n >= least, orderBy: "n" });
    return [tagged, large].map((results) => results.map(({ value }) => value.n).join()).join(" ");
  };
  const Page = () => {
    const [least, setLeast] = useState(2);
    Page.setLeast = setLeast;
    return <List least={least} />;
  };
  const place = show(<Page />);
  await until(() => place.text() === "1,2 2,3");
  first.change((draft) => void (draft.n = 5));
  await until(() => place.text() === "1,5 3,5");
  Page.setLeast(4);
  await until(() => place.text() === "1,5 5");
  space.delete(second.id);
  await until(() => place.text() === "5 5");
  const before = renders;
  space.create({ n: 0, tag: "c" });
  await space.saved();
  const rendered = renders - before;
  await space.close();
  place.leave();
  return rendered;
}

export async function undoes() {
  const space = await plain("undoes");
  const doc = space.create({ n: 0 });
  let undoing;
  const Buttons = () => {
    const { canUndo, canRedo } = (undoing = useUndo(space));
    return `${canUndo ? "undo" : ""} ${canRedo ? "redo" : ""} ${useDoc(doc).n}`;
  };
  const place = show(<Buttons />);
  await until(() => place.text() === "  0");
  doc.change((draft) => void (draft.n = 1));
  await until(() => place.text() === "undo  1");
  undoing.undo();
  await until(() => place.text() === " redo 0");
  const { redo } = undoing;
  redo();
  await until(() => place.text() === "undo  1" && undoing.redo === redo);
  await space.close();
  await until(() => place.text() === "undo  1");
  place.leave();
}

/** Components that are still there when their space and their document have been closed, and some that come then. */
export async function outlives() {
  const space = await plain("outlives");
  const doc = space.create({ title: "last" });
  const Title = () => useDoc(doc, ({ title }) => title);
  const State = () => useStatus(space).state;
  const both = (key) => (
    <p key={key}>
      <Title /> <State />
    </p>
  );
  const place = show(both(1));
  await until(() => place.text() === "last local");
  doc.close();
  await space.close();
  await until(() => place.text() === "last closed");
  place.show(both(2));
  await until(() => place.text() === "last closed");
  place.leave();
}

export async function hydrates(html) {
  const element = document.body.appendChild(document.createElement("div"));
  element.innerHTML = html;
  const served = element.textContent;
  const complaints = [];
  const { error } = console;
  console.error = (...all) => complaints.push(all.join(" "));
  const app = (
    <StrictMode>
      <App name="hydrated" />
    </StrictMode>
  );
  const root = hydrateRoot(element, app, { onRecoverableError: (error) => complaints.push(String(error)) });
  await until(() => element.querySelector("textarea")?.value === "xyz");
  console.error = error;
  root.unmount();
  return { served, complaints };
}

/** A text that somebody types into, while another writes before the caret. */
export async function edits() {
  let space;
  const place = show(<App name="edits" onOpen={(opened) => (space = opened)} />);
  await until(() => place.element.querySelector("textarea") !== null);
  place.element.querySelector("textarea").id = "edited";
  globalThis.edited = async () => {
    const note = await space.named("note", {});
    await until(() => place.element.querySelector("textarea").value === note.value.text);
    place.leave();
    return note.value.text;
  };
}

// What they have in common.

function show(children, { strict = true } = {}) {
  const element = document.body.appendChild(document.createElement("div"));
  element.id = `place-${++places}`;
  const root = createRoot(element);
  const place = {
    element,
    show: (children) => flushSync(() => root.render(strict ? <StrictMode>{children}</StrictMode> : children)),
    text: () => {
      // Suspense hides what it replaces.
      const shown = element.cloneNode(true);
      for (const hidden of shown.querySelectorAll('[style*="display: none"]')) hidden.remove();
      return shown.textContent;
    },
    tryAgain: () => element.querySelector("button").click(),
    leave: () => root.unmount(),
  };
  place.show(children);
  return place;
}

export async function showsPresence() {
  const [one, other] = await Promise.all([1, 2].map(() => openSpace("presence", { storage: memory() })));
  link(one, other);
  const renders = { shows: 0, looks: 0 };
  let setOwn;
  const Shows = () => {
    const [own, set] = useState("one");
    setOwn = set;
    useCommits(renders, "shows");
    const others = usePresence(one, { own });
    return <p>{[...others.values()].map(({ name }) => name).join(" ")}</p>;
  };
  const Looks = () => {
    useCommits(renders, "looks");
    return <p>{[...usePresence(other).values()].map(({ own }) => own).join(" ")}</p>;
  };
  const first = show(<Shows />);
  const second = show(<Looks />);
  await until(() => second.text() === "one");
  const looked = renders.looks;
  flushSync(() => setOwn("changed"));
  await until(() => second.text() === "changed");
  other.presence.set({ name: "other" });
  await until(() => first.text() === "other");
  const again = renders.looks - looked;
  first.leave();
  await until(() => second.text() === "");
  await one.close();
  await other.close();
  second.leave();
  return again;
}

/** Counts how often a component was rendered for good. StrictMode renders more often. */
function useCommits(renders, name) {
  useEffect(() => {
    renders[name] += 1;
  });
}

class Boundary extends Component {
  state = {};
  static getDerivedStateFromError = (error) => ({ error });
  render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <>
        failed: {error.code}
        <button onClick={() => this.setState({ error: undefined })} />
      </>
    );
  }
}

function link(one, other) {
  const { port1, port2 } = new MessageChannel();
  one.connect(port1);
  other.connect(port2);
}

async function until(holds) {
  for (const end = performance.now() + WAIT_MS; !holds();) {
    if (performance.now() > end) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

globalThis.eyot = eyot;
