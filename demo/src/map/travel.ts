/** Edits on their way over the map: as fast as they really are, and what has arrived. Nothing moves for who wants no motion. */
import { WAYS, type Place } from "./places.js";
import type { Site } from "./site.js";

const SVG = "http://www.w3.org/2000/svg";
/** Keys that come faster are one dot. */
const APART_MS = 140;
const FLASH_MS = 450;

export function wayId(from: Place, to: Place): string {
  return `way-${from.region}-${to.region}`;
}

/** Until the function that is returned is called. */
export function showTravel(picture: SVGSVGElement, sites: readonly Site[]): () => void {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const busy = new Map<string, number>();
  const stops = sites.map(({ note, place, space }) =>
    note.subscribe((_, { origin }) => {
      if (calm.matches || document.visibilityState === "hidden") return;
      if (origin === "remote") return flash(picture, place);
      const now = performance.now();
      if (!space.online || now - (busy.get(place.region) ?? 0) < APART_MS) return;
      busy.set(place.region, now);
      for (const way of WAYS) if (way.from === place || way.to === place) travel(picture, way, way.to === place);
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

function travel(picture: SVGSVGElement, { from, to, ms }: (typeof WAYS)[number], isBack: boolean): void {
  const path = picture.querySelector(`#${wayId(from, to)}`)?.getAttribute("d");
  if (path == null) return;
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("class", "edit");
  dot.setAttribute("r", "5");
  dot.style.offsetPath = `path("${path}")`;
  dot.style.setProperty("--place", (isBack ? to : from).color);
  picture.append(dot);
  const ends = isBack ? ["100%", "0%"] : ["0%", "100%"];
  const journey = dot.animate({ offsetDistance: ends }, { duration: ms, fill: "forwards" });
  void journey.finished.finally(() => dot.remove());
}

function flash(picture: SVGSVGElement, { region }: Place): void {
  const ring = picture.querySelector(`[data-place="${region}"] .ring`);
  if (ring === null || ring.getAnimations().length > 0) return;
  ring.animate(
    { transform: ["scale(1)", "scale(2.2)"], opacity: [0.9, 0] },
    { duration: FLASH_MS, easing: "ease-out" },
  );
}
