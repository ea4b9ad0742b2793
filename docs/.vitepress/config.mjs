/**
 * The site is made of the pages in `docs/` and of those that stand beside the code. So its root is the repository's: a link
 * between two files is the same on the site and in the repository.
 */
import { defineConfig } from "vitepress";

const page = (text, path) => ({ text, link: `/${path}` });

export default defineConfig({
  title: "eyot",
  description: "A document store that lives where its users are.",
  lang: "en",
  srcDir: "..",
  srcExclude: ["**/target/**", "**/THIRD-PARTY.md", "crate/core/tests/**", "tests/**", "fuzz/**"],
  rewrites: { "docs/index.md": "index.md" },
  // The licences are files and no pages. Any other page that is not there fails the build.
  ignoreDeadLinks: [/LICENSE-(MIT|APACHE)$/],
  markdown: {
    // What stands in the repository is Markdown and no template of Vue: `<` and `{` mean themselves.
    attrs: { disable: true },
    config(markdown) {
      markdown.set({ html: false });
      nameFiles(markdown);
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      page("Get started", "docs/start/page"),
      page("Guide", "docs/guide/documents"),
      page("Reference", "docs/api/index"),
      page("Compare", "docs/compare"),
    ],
    sidebar: [
      {
        text: "Get started",
        items: [
          page("In a page", "docs/start/page"),
          page("In Node", "docs/start/node"),
          page("A relay on Cloudflare", "docs/start/cloudflare"),
          page("A relay of your own", "docs/start/relay"),
          page("In fifteen minutes", "docs/start/tutorial"),
        ],
      },
      {
        text: "Guide",
        items: [
          page("Documents and types", "docs/guide/documents"),
          page("Text", "docs/guide/text"),
          page("Editors", "docs/guide/editors"),
          page("Transactions", "docs/guide/transactions"),
          page("Undo", "docs/guide/undo"),
          page("Queries", "docs/guide/queries"),
          page("Offline and storage", "docs/guide/offline"),
          page("Durability", "docs/guide/durability"),
          page("Regions", "docs/guide/regions"),
          page("Tokens and users", "docs/guide/tokens"),
          page("Tabs", "docs/guide/tabs"),
          page("Presence", "docs/guide/presence"),
          page("Direct links", "docs/guide/peers"),
          page("React", "docs/guide/react"),
          page("Other frameworks", "docs/guide/frameworks"),
          page("Tests of your application", "docs/guide/testing"),
          page("The inspector", "docs/guide/inspector"),
          page("Bundlers and platforms", "docs/guide/platforms"),
          page("Errors", "docs/guide/errors"),
          page("Operations", "docs/guide/operations"),
          page("Following from a server", "docs/guide/changes"),
          page("Limits", "docs/guide/limits"),
          page("Security", "SECURITY"),
        ],
      },
      {
        text: "Choose and move",
        items: [
          page("Compared with others", "docs/compare"),
          page("From automerge-repo", "docs/from/automerge-repo"),
          page("From Yjs", "docs/from/yjs"),
        ],
      },
      {
        text: "Reference",
        items: [
          page("All modules", "docs/api/index"),
          page("Members at a glance", "js/README"),
          page("The Worker", "worker/README"),
          page("eyot-relay", "crate/relay/README"),
        ],
      },
      {
        text: "Inside",
        collapsed: true,
        items: [
          page("Architecture", "ARCHITECTURE"),
          page("Protocol", "crate/core/docs/protocol"),
          page("Stripped changes", "crate/core/docs/changes"),
          page("Named documents", "crate/core/docs/genesis"),
          page("Links between replicas", "js/docs/peers"),
          page("What is assumed", "crate/core/docs/assumptions"),
          page("Contributing", "CONTRIBUTING"),
          page("Changes", "CHANGELOG"),
        ],
      },
    ],
  },
});

/** Shows the name of the file, or the place, that a block has in its first line: `js [main.js]`. */
function nameFiles({ renderer, utils }) {
  const fence = renderer.rules.fence;
  renderer.rules.fence = (tokens, index, ...rest) => {
    const name = /\[(.+)\]/.exec(tokens[index].info)?.[1];
    const title = name === undefined ? "" : `<p><em>${utils.escapeHtml(name)}</em></p>`;
    return title + fence(tokens, index, ...rest);
  };
}
