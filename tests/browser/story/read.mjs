// The physiotherapist reads what came in, and builds a program without scripts.
import assert from "node:assert/strict";
import { atDesk, step } from "../stage.mjs";
import { inspect } from "../standards.mjs";
import { signIn } from "./assign.mjs";
import { TUESDAY } from "./next_day.mjs";

export async function physiotherapistReadsIt() {
  const hannah = await atDesk("Hannah, the day after", { now: `${TUESDAY}T19:00:00+08:00` });
  const { page } = hannah;

  step("Hannah sees on the caseload who did what");
  await page.goto("/patients");
  await hannah.isAt("/sign-in");
  await signIn(hannah);
  await hannah.isAt("/patients");
  const row = page.getByRole("row").filter({ hasText: "Nur Aisyah Rahman" });
  assert.match(await row.innerText(), /100\s?%/, "two sessions of two");
  await inspect(hannah, "caseload with sessions");

  step("She reads Aisyah's report: pain, what was skipped and why, and her words");
  await hannah.press(hannah.link("Nur Aisyah Rahman"));
  await hannah.sees("The wall pinched my left shoulder.");
  await inspect(hannah, "report");
  const report = await page.locator("main").innerText();
  for (const words of ["Seated thoracic extension stretch", "Wall angels"]) assert.ok(report.includes(words), `the report names ${words}`);
  await hannah.leave();
}

export async function buildsWithoutScript() {
  step("Without scripts she builds Lena a program: adds, moves, removes, assigns");
  const hannah = await atDesk("Hannah, without scripts", { javaScriptEnabled: false });
  const { page } = hannah;
  const rows = () => page.locator("[data-row] .rx-head .name").allInnerTexts();
  await page.goto("/sign-in");
  await signIn(hannah);
  await hannah.press(hannah.link("Lena Ortiz"));
  await hannah.press(hannah.link("New program").first());
  for (const name of ["Wall angels", "Scapular retraction", "Child’s pose with side stretch"]) {
    await hannah.press(page.getByRole("button", { name: `Add ${name}` }));
  }
  assert.equal((await rows()).length, 3);
  await hannah.press(page.getByRole("button", { name: "Move Scapular retraction up" }));
  assert.deepEqual((await rows()).slice(0, 2), ["Scapular retraction", "Wall angels"]);
  await hannah.press(page.getByRole("button", { name: "Remove Wall angels" }));
  assert.deepEqual(await rows(), ["Scapular retraction", "Child’s pose with side stretch"]);
  await hannah.fill("Name", "Shoulder blades");

  step("A dose of “10-” is refused where it stands, and what was typed is kept");
  const dose = page.getByLabel("Each set").first();
  await dose.fill("10-");
  await hannah.press(hannah.button(/^Assign /));
  assert.equal(await page.getByLabel("Each set").first().inputValue(), "10-");
  assert.equal(await page.getByLabel("Each set").first().getAttribute("aria-invalid"), "true");
  await page.getByLabel("Each set").first().fill("10-12");
  await hannah.press(hannah.button(/^Assign /));
  await hannah.sees(/assigned/i);
  await hannah.leave();
}
