// A patient joins on a phone and does the first session.
import assert from "node:assert/strict";
import { onPhone, setClock, step, tick, gotMail, mailCount } from "../stage.mjs";
import { inspect } from "../standards.mjs";

const AISYAHS_PASSWORD = "seven green umbrellas";

/** The exercise that is shown. */
export const shown = (someone) => someone.page.locator("section.step:visible");
const title = (someone) => someone.page.locator("section.step:visible .step-title");
export async function isDoing(someone, name) {
  await title(someone).filter({ hasText: name }).waitFor();
}

/** Everything that a person can choose in the finish is still open. */
export async function nothingIsPreselected(someone) {
  const step = shown(someone);
  assert.equal(await step.locator("input:checked").count(), 0, "a score or an effort was chosen beforehand");
  assert.equal(await step.locator("textarea").inputValue(), "", "the note was not empty");
}

export async function patientJoinsAndDoesTheSession(invitation) {
  const aisyah = await onPhone("Aisyah, on her phone");
  const { page } = aisyah;

  step("Aisyah opens the invitation, chooses a password, agrees, and is on Today");
  await aisyah.follow(invitation);
  await inspect(aisyah, "welcome");
  await aisyah.fill("Choose a password", AISYAHS_PASSWORD);
  await aisyah.tick("I have read this and agree");
  await aisyah.press(aisyah.button("Join"));
  await aisyah.isAt("/today");
  await aisyah.sees("Upper back relief");
  await inspect(aisyah, "today, session open");

  step("She starts the session and says how much it hurts before");
  await aisyah.press(aisyah.link("Start session"));
  await aisyah.isAt(/^\/session\//);
  await aisyah.sees("Pain right now, before you start");
  await inspect(aisyah, "session, before");
  assert.equal(await page.locator("input[name=pain_before]:checked").count(), 0, "a score was chosen beforehand");
  await aisyah.tick(/^5$/, shown(aisyah));

  step("She holds the first stretch by the clock: three holds of 15 to 30 seconds");
  await isDoing(aisyah, "Seated thoracic extension");
  await inspect(aisyah, "session, a hold");
  const face = shown(aisyah).locator("[data-face]");
  assert.equal(await face.textContent(), "0:00");
  await aisyah.press(aisyah.button("Start hold 1 of 3"));
  await page.clock.runFor(8000);
  const eight = await face.textContent();
  assert.match(eight, /^0:(08|09|1[01])$/, "the clock counts the seconds of a hold");
  await inspect(aisyah, "session, holding");
  await page.clock.runFor(9000);
  await page.locator("[data-say]").filter({ hasText: "15 seconds. Stop here, or go on to 30." }).waitFor({ state: "attached" });
  await aisyah.press(aisyah.button("Done, next hold"));
  await aisyah.press(aisyah.button("Start hold 2 of 3"));
  // Held to the end, a hold ends by itself.
  await page.clock.runFor(31000);
  await aisyah.press(aisyah.button("Start hold 3 of 3"));
  await page.clock.runFor(18000);
  await aisyah.press(aisyah.button("Done, last hold"));
  await aisyah.press(aisyah.button("Done, next exercise"));

  step("She takes the second as done, breathes through the third, and leaves one out because it hurts");
  await isDoing(aisyah, "Scapular retraction");
  await aisyah.press(aisyah.button("Done, next exercise"));
  await isDoing(aisyah, "Cat");
  await aisyah.press(aisyah.button("Breathe with me"));
  await page.clock.runFor(13000);
  assert.match(await shown(aisyah).locator("[data-count]").textContent(), /^2 of/, "a breath is counted every six seconds");
  await aisyah.press(aisyah.button("Pause"));
  await inspect(aisyah, "session, breaths");
  await aisyah.press(aisyah.button("Done, next exercise"));
  await aisyah.sees("You counted 2 of 10.");
  await inspect(aisyah, "session, asked whether all was done");
  await aisyah.press(aisyah.button("Yes, all of it"));
  await isDoing(aisyah, "Wall angels");
  await aisyah.press(aisyah.button("Skip…"));
  await aisyah.sees("Skip this exercise?");
  await inspect(aisyah, "session, skipping");
  await aisyah.press(aisyah.button("It hurt"));
  await isDoing(aisyah, "Child");
  await inspect(aisyah, "session, each side");
  await aisyah.press(aisyah.button("Done, finish"));

  step("She finishes: nothing is chosen for her; pain 3, effort OK, a note");
  await isDoing(aisyah, "How was that?");
  await nothingIsPreselected(aisyah);
  await aisyah.sees("4 of 5 exercises done.");
  await aisyah.sees("You skipped: Wall angels");
  await inspect(aisyah, "session, finish");
  await aisyah.tick(/^3$/, shown(aisyah));
  await aisyah.tick("OK", shown(aisyah));
  await shown(aisyah).getByRole("textbox").fill("The wall pinched my left shoulder.");
  await aisyah.press(aisyah.button("Save session"));
  await aisyah.isAt("/today");
  await aisyah.sees("Saved. Thank you.");
  await inspect(aisyah, "today, saved");
  await aisyah.press(aisyah.link("The program on paper"));
  await inspect(aisyah, "her program on paper");

  step("She looks at her progress, her reminders and her account");
  await aisyah.press(aisyah.menu("Progress"));
  await aisyah.isAt("/progress");
  await inspect(aisyah, "progress");
  await aisyah.press(aisyah.menu("Reminders"));
  await aisyah.isAt("/reminders");
  await inspect(aisyah, "reminders");
  await aisyah.press(aisyah.menu("Account"));
  await aisyah.isAt("/account");
  await inspect(aisyah, "account");
  await aisyah.leave();

  step("In the evening a reminder goes to Farah and Ben, whose sessions are open");
  await setClock("2026-03-02T18:00:00+08:00");
  const mails = await mailCount();
  const evening = await tick();
  assert.equal(evening.sent, 2);
  assert.deepEqual(await gotMail("/go/", mails), ["ben@example.test", "farah@example.test"]);
}
