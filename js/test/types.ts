/**
 * Holds the package's types to the contract, for all that exists so far: what compiles against the
 * contract compiles against the package. Names and shapes are compared both ways.
 */
import type * as contract from "./contract.js";
import type * as eyot from "../src/entries/index.js";
import type * as cloudflare from "../src/entries/cloudflare.js";
import type * as react from "../src/entries/react.js";
import type * as testing from "../src/entries/testing.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<_ extends true>(): void {}
function fits<A, _ extends A>(): void {}

interface Tasks {
  title: string;
  done: boolean[];
}

// The names that are there, no more and no fewer than these.
type Later = {
  space: "claims" | "moveTo";
};
type Ours = {
  doc: "created";
  space: "online" | "setOnline" | "saved" | "undoState" | "subscribeUndo";
  event: "deleted";
  presence: "setPart";
};
holds<Same<keyof contract.Doc<Tasks>, Exclude<keyof eyot.Doc<Tasks>, Ours["doc"]>>>();
holds<Same<Exclude<keyof contract.Space, Later["space"]>, Exclude<keyof eyot.Space, Ours["space"]>>>();
holds<Same<keyof contract.Commit, keyof eyot.Commit>>();
holds<Same<keyof contract.Status, keyof eyot.Status>>();
holds<Same<keyof contract.DocInfo, keyof eyot.DocInfo>>();
holds<Same<keyof contract.LinkInfo, keyof eyot.LinkInfo>>();
holds<Same<keyof contract.Invitation, keyof eyot.Invitation>>();
holds<Same<keyof contract.LiveQuery<Tasks>, keyof eyot.LiveQuery<Tasks>>>();
holds<Same<keyof contract.Query<Tasks>, keyof eyot.Query<Tasks>>>();
holds<Same<eyot.LiveQuery<Tasks>["results"][number], { readonly id: eyot.DocId; readonly value: eyot.Value<Tasks> }>>();
holds<Same<keyof contract.Presence, Exclude<keyof eyot.Presence, Ours["presence"]>>>();
holds<Same<keyof contract.ChangeEvent, Exclude<keyof eyot.ChangeEvent, Ours["event"]>>>();
holds<Same<keyof contract.Storage, keyof eyot.Storage>>();

// A package's object does for a contract's.
// The contract's `Value` and `Draft` take every object for an `AtomicString`, whose only member there is `toString`. What
// they are to be is below.
type ContractDoc = Omit<contract.Doc<Tasks>, "value" | "change" | "subscribe" | "at">;
holds<Same<ReturnType<eyot.Doc<Tasks>["at"]>, eyot.Value<Tasks>>>();
holds<Same<eyot.Value<Tasks>, { readonly title: string; readonly done: readonly boolean[] }>>();
holds<Same<eyot.Draft<Readonly<Tasks>>, Tasks>>();
holds<Same<ReturnType<eyot.Doc<Tasks>["change"]>, eyot.Commit>>();
type ContractSpace = Omit<
  contract.Space,
  Later["space"] | "open" | "create" | "named" | "query" | typeof Symbol.asyncDispose
>;
fits<ContractDoc, eyot.Doc<Tasks>>();
fits<ContractSpace, eyot.Space>();
fits<AsyncDisposable, eyot.Space>();
fits<contract.Commit, eyot.Commit>();
fits<contract.Status, eyot.Status>();
fits<contract.Storage, eyot.Storage>();
fits<contract.LinkInfo, eyot.LinkInfo>();
fits<contract.Invitation, eyot.Invitation>();
fits<contract.EyotError, eyot.EyotError>();
fits<contract.Counter, eyot.Counter>();
fits<contract.AtomicString, eyot.AtomicString>();
holds<Same<contract.SpaceOptions["relays"], eyot.SpaceOptions["relays"]>>();
holds<Same<contract.SpaceOptions["token"], eyot.SpaceOptions["token"]>>();
holds<Same<contract.EyotError["code"], eyot.EyotError["code"]>>();
holds<Same<contract.DocUrl, eyot.DocUrl>>();
holds<Same<contract.DocId, eyot.DocId>>();
holds<Same<contract.Path, eyot.Path>>();
fits<contract.Patch, eyot.Patch>();

// Functions: whatever the contract lets one pass may be passed, and what comes back does.
type Options = Pick<contract.SpaceOptions, "relays" | "token" | "storage" | "signal">;
fits<
  (name: string, options?: Options) => Promise<ContractSpace & AsyncDisposable>,
  (name: string, options?: eyot.SpaceOptions) => Promise<eyot.Space>
>();
fits<(name: string, options?: Options) => Promise<eyot.Space>, typeof eyot.openSpace>();
fits<typeof contract.splice, typeof eyot.splice>();
fits<typeof contract.mark, typeof eyot.mark>();
fits<typeof contract.move, typeof eyot.move>();
fits<contract.Span, eyot.Span>();
fits<contract.ChangeInfo, eyot.ChangeInfo>();
holds<Same<contract.Cursor, eyot.Cursor>>();
fits<typeof contract.indexedDb, typeof eyot.indexedDb>();
fits<typeof contract.memory, typeof eyot.memory>();
fits<typeof contract.directory, typeof eyot.directory>();
fits<ConstructorParameters<typeof eyot.Counter>, ConstructorParameters<typeof contract.Counter>>();
fits<ConstructorParameters<typeof eyot.AtomicString>, ConstructorParameters<typeof contract.AtomicString>>();
fits<(initial: Tasks) => ContractDoc, eyot.Space["create"]>();
fits<(name: string, initial: Tasks) => Promise<ContractDoc>, eyot.Space["named"]>();
fits<
  (id: contract.DocId, options?: { timeout?: number; signal?: AbortSignal }) => Promise<ContractDoc>,
  eyot.Space["open"]
>();

holds<Same<contract.RelayOptions["binding"], cloudflare.RelayOptions["binding"]>>();
holds<Same<contract.RelayOptions["authorize"], cloudflare.RelayOptions["authorize"]>>();
holds<Same<contract.RelayOptions["jurisdiction"], cloudflare.RelayOptions["jurisdiction"]>>();

// Hooks.
type HooksOf<M> = Extract<keyof M, `use${string}`>;
holds<Same<HooksOf<typeof contract>, Exclude<HooksOf<typeof react>, "useSpace" | "useNamed">>>();
fits<(space: eyot.Space, id: eyot.DocId | eyot.DocUrl) => eyot.Doc<Tasks>, typeof react.useDocument<Tasks>>();
fits<(space: eyot.Space) => readonly contract.DocInfo[], typeof react.useDocuments>();
fits<
  (space: eyot.Space, query: Omit<contract.Query<Tasks>, "where">) => eyot.LiveQuery<Tasks>["results"],
  typeof react.useQuery<Tasks>
>();
fits<(space: eyot.Space) => contract.Status, typeof react.useStatus>();
fits<(space: eyot.Space) => { undo(): void; redo(): void; canUndo: boolean; canRedo: boolean }, typeof react.useUndo>();
fits<(space: eyot.Space, own?: number) => ReadonlyMap<string, number>, typeof react.usePresence<number>>();
fits<(doc: eyot.Doc<Tasks>) => eyot.Value<Tasks>, typeof react.useDoc<Tasks>>();
fits<
  (doc: eyot.Doc<Tasks>, select: (value: eyot.Value<Tasks>) => number) => number,
  typeof react.useDoc<Tasks, number>
>();

// Documents typed by an interface, and drafts typed like the document.
interface Card {
  title: string;
  due?: Date;
  votes: Counter;
  file: Uint8Array;
  tags: string[];
  readonly link: eyot.DocId;
  meta?: { [key: string]: eyot.Json };
}
type Counter = eyot.Counter;

export async function use(space: eyot.Space): Promise<void> {
  const doc = space.create<Tasks>({ title: "", done: [] });
  doc.change((draft) => {
    draft.done.push(true);
    draft.title = "all";
  });
  // @ts-expect-error a snapshot is immutable
  doc.value.title = "none";
  // @ts-expect-error at any depth
  doc.value.done.push(true);
  const title: string = (await space.open<Tasks>(doc.url)).value.title;
  doc.subscribe((value, { origin, patches }) => console.log(value.done.length, origin === "local", patches, title));
}

export function cards(space: eyot.Space, card: Card): void {
  const doc = space.create({ cards: [card] });
  doc.change(({ cards }) => {
    cards[0]!.votes.increment();
    cards[0]!.due = undefined;
    cards[0]!.due = new Date(0);
    cards[0]!.file[0] = 1;
    cards[0]!.link = doc.id;
    cards[0]!.meta = { any: [{ thing: null }] };
    cards.push(card);
    // @ts-expect-error a title is a string
    cards[0]!.title = 1;
  });
  void space.open(doc.value.cards[0]!.link);
  // @ts-expect-error bytes of a snapshot are not written to
  doc.value.cards[0]!.file[0] = 1;
  // What documents cannot hold, at any depth.
  // @ts-expect-error a function
  space.create({ a: [() => 1] });
  // @ts-expect-error a map
  space.create({ a: { b: new Map<string, string>() } });
  // @ts-expect-error a symbol
  void space.named("x", { a: Symbol("x") });
  // @ts-expect-error other bytes than a Uint8Array
  space.create({ a: new Uint16Array(1) });
  // @ts-expect-error no object at all
  space.create("text");
}

// Of an empty list in an initial value nothing is known: it takes whatever a document can hold.
export function empty(space: eyot.Space): void {
  const doc = space.create({ title: "Picnic", tasks: [] });
  doc.change((list) => list.tasks.push("boat"));
  doc.change(({ tasks }) => void tasks.push({ name: "boat", done: false }));
  // @ts-expect-error a document cannot hold a function
  doc.change(({ tasks }) => void tasks.push(() => 1));
  console.log(doc.value.tasks.length);
}

fits<typeof contract.testNetwork, typeof testing.testNetwork>();

// An undefined option is one that is left out, under exactOptionalPropertyTypes too.
export function optional(token: string | undefined, signal: AbortSignal | undefined): eyot.SpaceOptions {
  return { token, signal, relays: undefined, storage: undefined };
}

// The patches and values of a document whose type is not known are what documents can hold.
export function unknown(value: eyot.Json): void {
  // @ts-expect-error it may be anything of that
  console.log(value.title);
}
