// Keeps the built page for when there is no network. FILES and VERSION are filled in by the build.
const NAME = `eyot-demo-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(NAME)
      // Past the browser's own cache, which may hold the page of another build.
      .then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  const isPage = event.request.mode === "navigate";
  // Whatever follows a page's address is for the page.
  const key = isPage ? (url.pathname.endsWith("/map.html") ? "map.html" : "./") : event.request;
  event.respondWith(
    caches.match(key, { cacheName: NAME, ignoreVary: true }).then((held) => held ?? fetch(event.request)),
  );
});
