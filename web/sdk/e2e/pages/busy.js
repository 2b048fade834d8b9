/** Keeps the page busy most of the time, so that it captures fewer than 8 pictures a second. */
const BUSY_MS = 190;
const REST_MS = 10;
addEventListener("load", () => {
  setInterval(() => {
    const end = performance.now() + BUSY_MS;
    while (performance.now() < end);
  }, BUSY_MS + REST_MS);
});
