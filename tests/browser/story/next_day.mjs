// The next day: reminders go to who is still open; the link in the mail opens the session; with and without a script.
import assert from "node:assert/strict";
import { gotMail, linkIn, logElsewhere, mailCount, mailTo, onPhone, setClock, step, tick } from "../stage.mjs";
import { inspect } from "../standards.mjs";
import { isDoing, nothingIsPreselected, shown } from "./session.mjs";

/** From the mail to the saved log: no more taps than this, beside one for each exercise. */
const TAPS = 3;

export const TUESDAY = "2026-03-03";

export async function remindersGoToWhoIsOpen() {
  step("On Tuesday Ben does his session before his hour; the others are reminded at theirs");
  await setClock(`${TUESDAY}T08:00:00+08:00`);
  let mails = await mailCount();
  await tick();
  assert.deepEqual(await gotMail("/go/", mails), ["aisyah@example.test", "mei@example.test"]);
  await logElsewhere("ben@example.test", TUESDAY);
  await setClock(`${TUESDAY}T18:00:00+08:00`);
  mails = await mailCount();
  const evening = await tick();
  assert.deepEqual(evening.skipped, ["Logged"], "Ben has logged");
  assert.deepEqual(await gotMail("/go/", mails), ["farah@example.test"]);
  await tick();
  assert.equal(await mailCount(), mails + 1, "a second round sends nothing twice");
}

export async function logsFromTheMail() {
  step("Aisyah taps the link in the mail: no password, three taps and one for each exercise");
  const phone = await onPhone("Aisyah, on another phone", { now: `${TUESDAY}T18:05:00+08:00` });
  const mail = (await mailTo("aisyah@example.test")).at(-1);
  assert.doesNotMatch(mail.subject, /pain|back|exercise/i, "no health data stands in a subject");
  await phone.follow(linkIn(mail, "/go/"));
  await phone.isAt(/^\/session\//);
  await inspect(phone, "session, from the mail");
  await phone.tick(/^4$/, shown(phone));
  const exercises = ["Seated thoracic extension", "Scapular retraction", "Cat", "Wall angels", "Child"];
  for (const name of exercises) {
    await isDoing(phone, name);
    await phone.press(phone.button(/^Done, (next exercise|finish)$/));
  }
  await isDoing(phone, "How was that?");
  await nothingIsPreselected(phone);
  await phone.press(phone.button("Save session"));
  await phone.isAt("/today");
  await phone.sees("Saved. Thank you.");
  const taps = phone.interactions - exercises.length;
  console.log(`    ${taps} taps beside the exercises`);
  assert.ok(taps <= TAPS, `it took ${taps} taps from the mail to the saved log, not ${TAPS} at most`);
  await inspect(phone, "today, by a link of a mail");
  await phone.page.goto("/progress");
  await phone.isAt("/sign-in");
  await phone.leave();
}

export async function logsWithoutScript() {
  step("Farah's phone runs no scripts: the same log as one plain form");
  const farah = await onPhone("Farah, without scripts", { javaScriptEnabled: false });
  const { page } = farah;
  await farah.follow(linkIn((await mailTo("farah@example.test")).at(-1), "/go/"));
  await farah.press(farah.button("Open today’s session"));
  await farah.isAt(/^\/session\//);
  await farah.tick(/^2$/, page.getByRole("group", { name: "Pain right now, before you start" }));
  const exercises = page.locator("section.exercise");
  assert.equal(await exercises.count(), 5);
  for (let n = 0; n < 4; n += 1) await farah.tick("Done as prescribed", exercises.nth(n));
  const last = exercises.nth(4);
  await farah.tick("Some of it", last);
  await last.getByLabel("Times on each side").fill("1");
  await farah.tick(/^2$/, page.getByRole("group", { name: "Pain right now, after the session" }));
  await farah.tick("Easy", page.getByRole("group", { name: "Effort" }));
  await farah.press(farah.button("Save session"));
  await farah.isAt("/today");
  await farah.sees("Saved. Thank you.");
  await farah.leave();
}
