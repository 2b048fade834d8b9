/** What happens to a page while its scan runs. Each returns what the person sees of it. */

const HOST = "facegate-scan";
const LATE_MS = 2500;
const SCAN_MS = 60_000;

/** Chromium without a head shows every page, so the page is told what a browser would tell it. */
export function setVisibility(page, state) {
  return page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}

function seen(page) {
  return page.evaluate((host) => {
    const { shadowRoot, dir } = document.querySelector(host);
    const text = (selector) => shadowRoot.querySelector(selector).textContent;
    return {
      hint: text(".hint"),
      card: text(".card h2"),
      cancel: text("[part~=cancel]"),
      focused: shadowRoot.activeElement?.localName,
      label: shadowRoot.querySelector("dialog").ariaLabel,
      modal: shadowRoot.querySelector("dialog").matches(":modal"),
      playing: !shadowRoot.querySelector("video").paused,
      dir,
    };
  }, HOST);
}

export const ACTS = {
  /** The person presses Escape. */
  leave: (page) => page.keyboard.press("Escape"),

  /** The person presses Escape after enough frames for a decision. */
  async leaveLate(page) {
    await page.waitForTimeout(LATE_MS);
    await page.keyboard.press("Escape");
  },

  /** The person goes to another tab, and returns once the attempt is over. */
  async hide(page) {
    await setVisibility(page, "hidden");
    await page.locator(`${HOST} .panel`).waitFor();
    await setVisibility(page, "visible");
  },

  /** The person turns the phone, and turns it back once the attempt is over. */
  async turn(page) {
    const turn = async () => {
      const { width, height } = page.viewportSize();
      await page.setViewportSize({ width: height, height: width });
      await page.evaluate(() => window.turnCamera());
    };
    await turn();
    // The first turned frame ends the attempt, and the question hides the picture, which is shown again to measure it.
    await page.locator(`${HOST} .panel`).waitFor();
    await page.waitForFunction((host) => {
      const { videoWidth, videoHeight } = document.querySelector(host).shadowRoot.querySelector("video");
      return videoWidth > videoHeight;
    }, HOST);
    const shown = await page.locator(`${HOST} video`).evaluate((node) => {
      const { hidden } = node.parentElement;
      node.parentElement.hidden = false;
      const form = node.clientWidth / node.clientHeight;
      node.parentElement.hidden = hidden;
      return form;
    });
    await turn();
    return shown;
  },

  /** The page moves the element to another place of the document. */
  async move(page) {
    await page.evaluate((host) => {
      const place = document.createElement("section");
      document.querySelector("main").append(place);
      place.append(document.querySelector(host));
    }, HOST);
    return seen(page);
  },

  /** The same without a disconnect from the document. */
  async moveBefore(page) {
    await page.evaluate((host) => {
      const place = document.createElement("section");
      document.querySelector("main").append(place);
      place.moveBefore(document.querySelector(host), null);
    }, HOST);
    return seen(page);
  },

  /** The page changes the language. */
  async translate(page) {
    await page.evaluate((host) => document.querySelector(host).setAttribute("lang", "ar"), HOST);
    return seen(page);
  },

  /** The person takes the other camera. */
  async changeCamera(page) {
    const button = page.locator(`${HOST} [part~=camera]`);
    const label = () =>
      page.locator(`${HOST} video`).evaluate((node) => node.srcObject?.getVideoTracks()[0]?.label ?? "");
    const labels = [await label()];
    await button.click();
    await page.waitForFunction(
      ([host, old]) => {
        const track = document.querySelector(host).shadowRoot.querySelector("video").srcObject?.getVideoTracks()[0];
        return track !== undefined && track.label !== old;
      },
      [HOST, labels[0]],
    );
    return [...labels, await label()];
  },
};

/** The one button of the server's own page. */
export function starting(page) {
  return page.getByRole("button", { name: "Agree and start the scan", exact: true });
}

/** Agrees and starts on the server's own page, without colours. */
export async function start(page) {
  await page.getByText("the screen changes its colour several times").waitFor();
  await page.getByRole("checkbox", { name: "Continue without colours" }).check();
  await starting(page).click();
}

/** Waits on the server's own page until the scan is over; returns how the card names the end. */
export async function ended(page) {
  const ready = page.locator("facegate-scan .panel button");
  const screen = page.locator("facegate-scan dialog");
  await screen.waitFor();
  for (const end = Date.now() + SCAN_MS; Date.now() < end && (await screen.isVisible()); ) {
    if (await ready.isVisible()) await ready.click();
    await page.waitForTimeout(100);
  }
  return page.locator("facegate-scan .card h2").innerText();
}
