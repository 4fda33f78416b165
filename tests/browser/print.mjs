// A patient's report and program on paper: how many pages they take, what stands on them, what does not, and where the code leads. Run by
// tests/tests/print.rs.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import jsqr from "jsqr";
import { chromium } from "playwright-core";

const { BASE, CHROMIUM, EMAIL, PASSWORD, REPORT, CLINIC, HANDOUT, SIGN_IN, KEEP } = process.env;

// Two pages of A4 at most, counted in the file itself.
const paper = async (page, keep) => {
  const pdf = await page.pdf({ preferCSSPageSize: true });
  if (keep) await writeFile(keep, pdf);
  const source = pdf.toString("latin1");
  const pages = source.match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
  assert.ok(pages >= 1 && pages <= 2, `${pages} pages`);
  const boxes = [...source.matchAll(/\/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]/g)].map(([, width, height]) => [Math.round(width), Math.round(height)]);
  assert.ok(boxes.length >= 1 && boxes.every(([width, height]) => Math.abs(width - 595) <= 1 && Math.abs(height - 842) <= 1), `A4, and not ${boxes}`);
};

// What somebody reads who points a camera at it.
const scanned = async (context, element) => {
  const picture = (await element.screenshot()).toString("base64");
  const blank = await context.newPage();
  const { data, width, height } = await blank.evaluate(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return { data: [...canvas.getImageData(0, 0, image.width, image.height).data], width: image.width, height: image.height };
  }, picture);
  await blank.close();
  return jsqr(Uint8ClampedArray.from(data), width, height)?.data;
};

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
try {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ baseURL: BASE, colorScheme, viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await page.goto("/sign-in");
    await page.fill("[name=email]", EMAIL);
    await page.fill("[name=password]", PASSWORD);
    await Promise.all([page.waitForURL("**/patients"), page.click("main button[type=submit]")]);
    await page.goto(REPORT);
    assert.equal(await page.locator(".paper-head").isVisible(), false, "what is for paper is not on the screen");

    await paper(page, KEEP);

    await page.emulateMedia({ media: "print", colorScheme });
    const head = await page.locator(".paper-head").innerText();
    for (const words of ["Riverside Physio", "Farah Aziz", "19 January 2026 to 2 March 2026", "self-reported", "printed on 2 March 2026"]) {
      assert.ok(head.includes(words), `${words} in ${head}`);
    }
    for (const selector of [".top", ".period", ".actions", ".crumbs", "form", "#logs", "#programs", "[data-print]"]) {
      for (const element of await page.locator(selector).all()) assert.equal(await element.isVisible(), false, `${selector} on paper`);
    }
    for (const selector of [".kpis", ".dbd-svg", ".month", ".by-exercise", ".said", ".paper-foot"]) {
      assert.equal(await page.locator(selector).first().isVisible(), true, `${selector} is missing on paper`);
    }
    // Dark words on white, and marks that need no colour: nothing that is printed tells states apart by hue.
    const paint = await page.evaluate(() => {
      const of = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
      const grey = (color) => new Set(color.match(/\d+/g).slice(0, 3)).size === 1;
      const light = (color) => Math.max(...color.match(/\d+/g).slice(0, 3).map(Number));
      return {
        ink: light(of("body", "color")), paper: light(of("body", "backgroundColor")),
        grey: [".dbd-done", ".dbd-part"].every((bar) => grey(of(bar, "fill"))) && grey(of(".dbd-after", "stroke")),
        dashes: of(".dbd-before", "strokeDasharray") !== of(".dbd-after", "strokeDasharray"),
        wide: document.querySelector(".dbd-svg").getBoundingClientRect().right <= document.querySelector(".dbd").getBoundingClientRect().right + 1,
      };
    });
    assert.ok(paint.ink < 90, `${colorScheme}: the words are dark`);
    assert.ok(paint.grey && paint.dashes && paint.wide, JSON.stringify(paint));

    await page.emulateMedia({ media: null, colorScheme });
    await page.goto(CLINIC);
    await paper(page, KEEP && `${KEEP}.clinic.pdf`);
    await page.emulateMedia({ media: "print", colorScheme });
    const title = await page.locator(".paper-head").innerText();
    for (const words of ["Riverside Physio", "3 February 2026 to 2 March 2026", "self-reported", "printed on 2 March 2026"]) {
      assert.ok(title.includes(words), `${words} in ${title}`);
    }
    assert.ok((await page.locator(".paper-foot").innerText()).includes("nothing measured it"), "how it is counted stands on paper too");
    assert.equal(await page.locator(".self").isVisible(), false, "nothing on paper waits to be unfolded");
    // As wide as the paper between its margins. A word that is cut in two has more lines than words.
    await page.setViewportSize({ width: 703, height: 900 });
    const cut = await page.locator(".groups thead th").evaluateAll((heads) => heads.filter((head) => {
      const range = document.createRange();
      range.selectNodeContents(head);
      const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size;
      return lines > head.innerText.trim().split(/\s+/).length;
    }).map((head) => head.innerText));
    assert.deepEqual(cut, [], "words cut in two");
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.emulateMedia({ media: null, colorScheme });
    await page.goto(HANDOUT);
    assert.equal(await scanned(context, page.locator(".qr")), SIGN_IN, `${colorScheme}, on a screen`);
    await paper(page, KEEP && `${KEEP}.handout.pdf`);
    await page.emulateMedia({ media: "print", colorScheme });
    for (const selector of [".top", ".crumbs", ".actions", "[data-print]"]) {
      for (const element of await page.locator(selector).all()) assert.equal(await element.isVisible(), false, `${selector} on the sheet`);
    }
    assert.equal(await page.locator(".sheet-exercise").count(), 5);
    assert.equal(await page.locator(".sheet-drawings svg").count(), 10);
    assert.equal(await scanned(context, page.locator(".qr")), SIGN_IN, `${colorScheme}, on paper`);
    const ink = await page.locator(".sheet-dose").first().evaluate((element) => Math.max(...getComputedStyle(element).color.match(/\d+/g).slice(0, 3).map(Number)));
    assert.ok(ink < 90, `${colorScheme}: the words are dark`);
    await context.close();
  }
} finally {
  await browser.close();
}
