/** A component of each framework that shows a document's title, as the page on frameworks says. */
import * as eyot from "eyot";
import { createComponent } from "solid-js";
import { render } from "solid-js/web";
import { mount, unmount } from "svelte";
import { createApp, h } from "vue";
import { createDoc } from "docs/solid";
import { docStore } from "docs/svelte";
import { useDoc } from "docs/vue";
import Note from "./Note.svelte";

/** How each is put on the page; gives back how it leaves. */
const FRAMEWORKS = {
  Vue(doc, element) {
    const app = createApp({
      setup() {
        const value = useDoc(doc);
        return () => h("p", value.value.title);
      },
    });
    app.mount(element);
    return () => app.unmount();
  },
  Svelte(doc, target) {
    const note = mount(Note, { target, props: { doc, docStore } });
    return () => unmount(note);
  },
  Solid(doc, element) {
    const Title = () => {
      const value = createDoc(doc);
      return () => value().title;
    };
    return render(() => createComponent(Title, {}), element);
  },
};

globalThis.follows = async (framework) => {
  const space = await eyot.openSpace("frameworks", { storage: eyot.memory() });
  const doc = space.create({ title: "one" });
  const { subscribe } = doc;
  let followers = 0;
  doc.subscribe = (listener) => {
    const unsubscribe = subscribe(listener);
    followers += 1;
    return () => ((followers -= 1), unsubscribe());
  };
  const element = document.body.appendChild(document.createElement("div"));
  const leave = FRAMEWORKS[framework](doc, element);
  await until(() => element.textContent === "one" && followers === 1);
  doc.change((draft) => void (draft.title = "two"));
  await until(() => element.textContent === "two");
  await leave();
  await until(() => followers === 0);
  await space.close();
};

async function until(holds) {
  for (const end = performance.now() + 20_000; !holds();) {
    if (performance.now() > end) throw new Error(`waited in vain for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

globalThis.eyot = eyot;
