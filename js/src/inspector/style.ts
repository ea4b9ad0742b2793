/** The look of the inspector, light and dark: what the page says by `color-scheme`, otherwise what the user prefers. */
const CSS = `
:host {
  color-scheme: light dark;
  --ink: light-dark(#1d2733, #e4e9ef);
  --quiet: light-dark(#556270, #9fadbb);
  --paper: light-dark(#fff, #161c23);
  --raised: light-dark(#f2f5f8, #202832);
  --line: light-dark(#c9d2dc, #3a4653);
  --accent: light-dark(#16637f, #6cc3e2);
  --good: light-dark(#1c6b3c, #6fce96);
  --wait: light-dark(#8a4b00, #f0b35e);
  display: block;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 8px;
  font: 14px/1.45 system-ui, sans-serif;
  text-align: start;
  overflow: hidden;
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; padding: 10px 14px 6px; }
h2, h3 { margin: 0; font-size: 15px; }
h3 { margin-top: 14px; }
header p { margin: 0; color: var(--quiet); }
[role="tablist"] { display: flex; flex-wrap: wrap; gap: 2px; padding: 0 10px; border-bottom: 1px solid var(--line); }
button { font: inherit; color: inherit; background: none; border: 0; border-radius: 6px; padding: 5px 8px; cursor: pointer; text-align: start; }
button:hover { background: var(--raised); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
[role="tab"] { border-radius: 6px 6px 0 0; border-bottom: 3px solid transparent; }
[role="tab"][aria-selected="true"] { border-bottom-color: var(--accent); font-weight: 600; }
[role="tabpanel"] { padding: 10px 14px 14px; max-height: 32em; overflow: auto; }
.scrolled { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; font-weight: 600; padding: 10px 0 4px; }
th, td { text-align: start; vertical-align: baseline; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--quiet); font-size: 12px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 8px 0 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
pre, code { font: 12px/1.5 ui-monospace, monospace; }
pre { margin: 4px 0; padding: 8px; max-height: 20em; overflow: auto; background: var(--raised); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
ol { margin: 0; padding: 0; list-style: none; }
ol li { display: flex; gap: 10px; padding: 2px 0; border-bottom: 1px solid var(--line); }
time { color: var(--quiet); font-variant-numeric: tabular-nums; flex: none; }
.empty { margin: 8px 0; color: var(--quiet); }
.empty:empty { display: none; }
.bar { display: flex; gap: 8px; align-items: center; margin-bottom: 6px; color: var(--quiet); }
.bar button { border: 1px solid var(--line); color: var(--ink); }
/* The sign is not read out: aria-expanded is. */
button[aria-expanded]::before { content: "▸ " / ""; }
button[aria-expanded="true"]::before { content: "▾ " / ""; }
svg { display: block; width: 100%; max-width: 480px; height: auto; margin: 0 auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; text-anchor: middle; }
svg .what { fill: var(--quiet); font-size: 12px; }
svg circle, svg rect { fill: var(--raised); stroke: var(--line); stroke-width: 1.5; }
svg .me { stroke: var(--accent); stroke-width: 3; }
svg .up { stroke: var(--good); }
svg line { stroke: var(--line); stroke-width: 1.5; }
svg line.up { stroke: var(--good); stroke-width: 2.5; }
svg line.away { stroke-dasharray: 4 4; }
svg .waits { fill: var(--wait); font-weight: 600; }
@media (forced-colors: active) { [role="tab"][aria-selected="true"] { border-bottom-color: Highlight; } }
`;

let sheet: CSSStyleSheet | undefined;

/** Adopted rather than written into the document, so that a policy without inline styles allows it. */
export function styles(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
