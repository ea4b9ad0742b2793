/**
 * Holds the package's types to the contract, for all that exists so far: what compiles against the
 * contract compiles against the package. Names and shapes are compared both ways.
 */
import type * as contract from "./contract.js";
import type * as eyot from "../src/entries/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<_ extends true>(): void {}
function fits<A, _ extends A>(): void {}

interface Tasks {
  title: string;
  done: boolean[];
}

// The names that are there, no more and no fewer than these.
type Later = {
  doc: "conflicts" | "history" | "at" | "undo" | "redo" | "cursor" | "position";
  space: "transact" | "query" | "presence";
};
type Ours = { doc: never; space: "online" | "setOnline" };
holds<Same<Exclude<keyof contract.Doc<Tasks>, Later["doc"]>, Exclude<keyof eyot.Doc<Tasks>, Ours["doc"]>>>();
holds<Same<Exclude<keyof contract.Space, Later["space"]>, Exclude<keyof eyot.Space, Ours["space"]>>>();
holds<Same<keyof contract.Commit, keyof eyot.Commit>>();
holds<Same<keyof contract.Status, keyof eyot.Status>>();
holds<Same<keyof contract.DocInfo, keyof eyot.DocInfo>>();
holds<Same<keyof contract.ChangeEvent, keyof eyot.ChangeEvent>>();
holds<Same<keyof contract.Storage, keyof eyot.Storage>>();

// A package's object does for a contract's.
type ContractDoc = Omit<contract.Doc<Tasks>, Later["doc"]>;
type ContractSpace = Omit<contract.Space, Later["space"] | "open" | "create" | "named" | typeof Symbol.asyncDispose>;
fits<ContractDoc, eyot.Doc<Tasks>>();
fits<ContractSpace, eyot.Space>();
fits<AsyncDisposable, eyot.Space>();
fits<contract.Commit, eyot.Commit>();
fits<contract.Status, eyot.Status>();
fits<contract.Storage, eyot.Storage>();
fits<contract.EyotError, eyot.EyotError>();
fits<contract.Counter, eyot.Counter>();
fits<contract.AtomicString, eyot.AtomicString>();
holds<Same<contract.SpaceOptions["relays"], eyot.SpaceOptions["relays"]>>();
holds<Same<contract.SpaceOptions["token"], eyot.SpaceOptions["token"]>>();
holds<Same<contract.EyotError["code"], eyot.EyotError["code"]>>();
holds<Same<contract.DocUrl, eyot.DocUrl>>();
holds<Same<contract.DocId, eyot.DocId>>();
holds<Same<contract.Path, eyot.Path>>();
holds<Same<contract.Patch, eyot.Patch>>();

// Functions: whatever the contract lets one pass may be passed, and what comes back does.
type Options = Pick<contract.SpaceOptions, "relays" | "token" | "storage" | "signal">;
fits<
  (name: string, options?: Options) => Promise<ContractSpace & AsyncDisposable>,
  (name: string, options?: eyot.SpaceOptions) => Promise<eyot.Space>
>();
fits<(name: string, options?: Options) => Promise<eyot.Space>, typeof eyot.openSpace>();
fits<typeof contract.splice, typeof eyot.splice>();
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

// Documents typed by an interface, and drafts typed like the document.
export async function use(space: eyot.Space): Promise<void> {
  const doc = space.create<Tasks>({ title: "", done: [] });
  doc.change((draft) => {
    draft.done.push(true);
    draft.title = "all";
  });
  // @ts-expect-error a snapshot is immutable
  doc.value.title = "none";
  const title: string = (await space.open<Tasks>(doc.url)).value.title;
  doc.subscribe((value, { origin, patches }) => console.log(value.done.length, origin === "local", patches, title));
}
