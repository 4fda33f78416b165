// What every page is held to, whoever looks at it: accessible by axe in light and in dark, nothing in the console, nothing that the
// content security policy had to stop, no scrolling sideways on a narrow phone, and buttons that a thumb can hit.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
/** The least side of a button, in CSS pixels. */
const THUMB = 44;

/** Writes into `faults` whatever the pages of this context complain about. */
export async function watch(context, faults) {
  context.on("page", (page) => listen(page, faults));
  for (const page of context.pages()) listen(page, faults);
  await context.exposeFunction("homestretchTestFault", (text) => faults.push(text));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.homestretchTestFault(`${location.pathname}: the policy stopped ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}`);
    });
  });
}

function listen(page, faults) {
  page.on("console", (message) => {
    // A form that was refused answers 422, and Chromium logs that as an error of the page.
    if (message.type() === "error" && !/status of 422/.test(message.text())) faults.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error.stack}`));
}

const seen = [];

/** Holds the page that is shown to the standards; collects what fails, so that one run shows everything. */
export async function inspect(someone, name) {
  const { page } = someone;
  const failures = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await settled(page, `(prefers-color-scheme: ${colorScheme})`);
    failures.push(...(await violations(page)).map((text) => `${colorScheme}: ${text}`));
  }
  await page.emulateMedia({ colorScheme: "light" });
  const size = page.viewportSize();
  failures.push(...(await smallTargets(page, size.width < 700)).map((text) => `at ${size.width} px: ${text}`));
  await page.setViewportSize({ width: 320, height: 640 });
  await settled(page, "(max-width: 320px)");
  failures.push(...(await sideways(page)), ...(await smallTargets(page, true)).map((text) => `at 320 px: ${text}`));
  await page.setViewportSize(size);
  seen.push({ name: `${someone.name}: ${name}`, failures });
}

/** Waits until the page has taken in another width or scheme and its fonts are there; transitions are brought to their end. */
export async function settled(page, media) {
  // Asked by the clock, not by drawn frames: a page that has nothing to draw draws none.
  await page.waitForFunction((query) => matchMedia(query).matches && document.fonts.status === "loaded", media, { polling: 50 });
  await page.evaluate(() => {
    // Reading a style makes the transitions that the change set off begin, so that they can be ended.
    void getComputedStyle(document.body).color;
    for (const change of document.getAnimations()) if (change instanceof CSSTransition) change.finish();
  });
}

async function violations(page) {
  await page.evaluate(axe);
  const results = await page.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  return results.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id} (${rule.help}) at ${node.target.join(" ")}: ${node.failureSummary.replaceAll(/\s+/g, " ")}`));
}

export async function sideways(page) {
  return page.evaluate(() => {
    const { scrollWidth } = document.scrollingElement;
    if (scrollWidth <= innerWidth && innerWidth <= 320) return [];
    const wide = [...document.querySelectorAll("body *")].filter((part) => part.getBoundingClientRect().right > 321).slice(0, 4);
    return [`scrolls sideways at 320 px (${scrollWidth}, window ${innerWidth}): ${wide.map((part) => `${part.localName}.${part.getAttribute("class") ?? ""}`).join(", ")}`];
  });
}

// Fields are for a pointer on a desk and for a thumb on a phone; buttons are for a thumb everywhere.
const BUTTONS = "button, a.btn, summary, input[type=submit], .tabs a";
const FIELDS = "select, input[type=text], input[type=email], input[type=password], input[type=date], input[type=time], label.tile, label.day, label.check";

async function smallTargets(page, narrow) {
  return page.evaluate(([least, which]) => {
    const small = [];
    for (const target of document.querySelectorAll(which)) {
      if (!target.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || target.closest(".visually-hidden, .skip")) continue;
      const { width, height } = target.getBoundingClientRect();
      if (width === 0 || (width >= least - 0.5 && height >= least - 0.5)) continue;
      const said = (target.getAttribute("aria-label") ?? target.textContent).trim().replace(/\s+/g, " ").slice(0, 40);
      small.push(`${target.localName}.${target.getAttribute("class") ?? ""} “${said}” is ${Math.round(width)} × ${Math.round(height)} px`);
    }
    return small;
  }, [THUMB, narrow ? `${BUTTONS}, ${FIELDS}` : BUTTONS]);
}

/** Fails if a page that was inspected fell short. */
export function passStandards() {
  const short = seen.filter(({ failures }) => failures.length);
  const report = short.map(({ name, failures }) => `${name}\n${[...new Set(failures)].map((failure) => `    ${failure}`).join("\n")}`).join("\n");
  assert.equal(short.length, 0, `${short.length} of ${seen.length} pages fall short of what every page is held to:\n${report}`);
  console.log(`    ${seen.length} pages inspected: axe in light and dark, width, targets`);
}
