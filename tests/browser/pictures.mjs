// Pictures of the demo clinic. Run by bin/screenshots: pictures.mjs README_FOLDER [EVERYTHING_FOLDER]
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";

const { BASE, CHROMIUM } = process.env;
const [readme, everything] = process.argv.slice(2);
const PASSWORD = "homestretch-demo";
const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } };

/** Pages that are there for everybody of a kind; `/patients/` and the like are found by following a link. */
const PAGES = {
  nobody: ["/", "/sign-in", "/password/forgot", "/nowhere"],
  physio: ["/patients", "/patients?show=attention", "/patients/new", "/exercises", "/exercises/new", "/templates", "/templates/new", "/reports/adherence", "/notices", "/account"],
  owner: ["/patients", "/team", "/settings", "/audit", "/account"],
  patient: ["/today", "/progress", "/reminders", "/account"],
};

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"],
});

async function open(who, viewport, colorScheme = "light") {
  const context = await browser.newContext({ baseURL: BASE, locale: "en-GB", viewport, colorScheme, reducedMotion: "reduce", isMobile: viewport.width < 700, hasTouch: viewport.width < 700 });
  const page = await context.newPage();
  if (who === "nobody") return page;
  await page.goto("/sign-in");
  await page.getByLabel("Email", { exact: true }).fill(`${who}@demo.test`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL((url) => ["/patients", "/today"].includes(url.pathname));
  return page;
}

async function picture(page, path, fullPage) {
  // A picture is of the page, not of whatever is being typed in or pointed at.
  await page.mouse.move(0, 0);
  await page.evaluate(async () => {
    document.activeElement?.blur();
    await document.fonts.ready;
  });
  await page.screenshot({ path, fullPage });
  const { size } = await stat(path);
  console.log(`${path}  ${Math.round(size / 1024)} KB`);
}

/** From Today to a step of the session; nothing is saved. `until` is the number of exercises done. */
async function play(page, until) {
  await page.goto("/today");
  // A session that was begun for the picture before is forgotten.
  await page.evaluate(() => localStorage.clear());
  const start = page.getByRole("link", { name: /^(Start session|Do it again)/ }).first();
  if (!(await start.count())) throw new Error("patient@demo.test has no session open today; bin/demo --fresh brings one");
  await start.click();
  await page.locator("label").filter({ hasText: /^4$/ }).first().click();
  for (let done = 0; done < until; done += 1) await page.getByRole("button", { name: /^Done, (next exercise|finish)/ }).click();
  await page.locator("section.step:visible .step-title").waitFor();
}

async function follow(page, from, link) {
  await page.goto(from);
  const found = page.locator(link).first();
  if (!(await found.count())) return false;
  await page.goto(await found.getAttribute("href"));
  return true;
}

async function forTheReadme() {
  await mkdir(readme, { recursive: true });
  const desk = await open("physio", WIDTHS.desk);
  await picture(desk, join(readme, "caseload.png"));
  // Somebody with six weeks of sessions and a pain that eases.
  await follow(desk, "/patients?q=patient@demo.test", "a.name");
  const patient = new URL(desk.url()).pathname;
  await desk.evaluate(() => document.querySelector("#report").scrollIntoView());
  await picture(desk, join(readme, "report.png"));
  await follow(desk, `${patient}/programs/new`, "[data-start] a.btn:text-is('Upper back relief')");
  await picture(desk, join(readme, "builder.png"));
  await desk.context().close();

  const phone = await open("patient", WIDTHS.phone);
  await picture(phone, join(readme, "today.png"));
  await play(phone, 0);
  // Folded, the instructions leave room for the clock.
  await phone.locator("section.step:visible .how > summary").click();
  await picture(phone, join(readme, "session.png"));
  await play(phone, 5);
  await picture(phone, join(readme, "finish.png"), true);
  await phone.context().close();
}

async function everyPage() {
  await mkdir(everything, { recursive: true });
  for (const [device, viewport] of Object.entries(WIDTHS)) {
    for (const scheme of ["light", "dark"]) {
      const take = (page, who, name) => picture(page, join(everything, `${who}-${name}-${device}-${scheme}.png`), true);
      for (const who of Object.keys(PAGES)) {
        const page = await open(who, viewport, scheme);
        for (const path of PAGES[who]) {
          await page.goto(path);
          await take(page, who, path === "/" ? "front" : path.slice(1).replaceAll(/[^a-z]+/g, "-"));
        }
        if (who === "physio") {
          await page.goto("/patients");
          const patients = await page.locator("a.name").evaluateAll((links) => links.map((link) => [link.textContent.trim(), link.getAttribute("href")]));
          for (const [name, href] of device === "desk" && scheme === "light" ? patients : patients.slice(0, 2)) {
            await page.goto(href);
            await take(page, who, `patient-${name.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`);
          }
          if (await follow(page, patients[0][1], "a[href^='/programs/']")) await take(page, who, "program");
          if (await follow(page, `${patients[0][1]}/programs/new`, "[data-start] a.btn:text-is('Upper back relief')")) await take(page, who, "builder");
          if (await follow(page, "/exercises", ".shelf-item a")) await take(page, who, "exercise");
          if (await follow(page, "/templates", ".template-card h2 a")) await take(page, who, "template");
        }
        if (who === "patient") {
          await play(page, 0);
          await take(page, who, "session");
          await play(page, 2);
          await take(page, who, "session-breaths");
          await play(page, 5);
          await take(page, who, "finish");
        }
        await page.context().close();
      }
    }
  }
}

try {
  await forTheReadme();
  if (everything) await everyPage();
} catch (error) {
  console.error(/ERR_CONNECTION_REFUSED/.test(error.message) ? `Nothing answers at ${BASE}. Start the demo first: bin/demo` : error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
