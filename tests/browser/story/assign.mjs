// The physiotherapist signs in, assigns a program from the template in a few clicks, and invites somebody new.
import assert from "node:assert/strict";
import { PASSWORD, atDesk, gotMail, linkIn, mailTo, step, tick } from "../stage.mjs";
import { inspect } from "../standards.mjs";

/** From the sign-in page to an assigned program: no more fills, clicks and keys than this. */
const INTERACTIONS = 12;

export async function signIn(someone, email = "physio@riverside.test") {
  await someone.fill("Email", email);
  await someone.fill("Password", PASSWORD);
  await someone.press(someone.button("Sign in"));
}

/** On a patient's page: a new program made of the template, assigned as it is. */
async function assignTemplate(hannah, look = false) {
  await hannah.press(hannah.link("New program").first());
  await hannah.sees("Start from a template");
  if (look) await inspect(hannah, "program builder, empty");
  await hannah.press(hannah.link("Upper back relief"));
  await hannah.page.locator("[data-row]").nth(4).waitFor();
  if (look) await inspect(hannah, "program builder, from the template");
  await hannah.press(hannah.button(/^Assign /));
  await hannah.sees(/assigned/i);
}

export async function physiotherapistAssigns() {
  const hannah = await atDesk("Hannah, physiotherapist");

  step("Hannah signs in and sees her caseload");
  await hannah.page.goto("/sign-in");
  await inspect(hannah, "sign-in");
  await signIn(hannah);
  await hannah.isAt("/patients");
  await hannah.sees("Farah Aziz");
  await inspect(hannah, "caseload");

  step("She gives Mei a program from the template");
  await hannah.press(hannah.link("Mei Chen"));
  await inspect(hannah, "patient without a program");
  await assignTemplate(hannah, true);
  console.log(`    ${hannah.interactions} interactions from the sign-in page`);
  assert.ok(hannah.interactions <= INTERACTIONS, `it took ${hannah.interactions} interactions to assign a program, not ${INTERACTIONS} at most`);

  step("She invites Aisyah and gives her the same program");
  await hannah.press(hannah.menu("Patients"));
  await hannah.press(hannah.link("Invite a patient"));
  await inspect(hannah, "inviting a patient");
  await hannah.fill("Name", "Nur Aisyah Rahman");
  await hannah.fill("Email", "aisyah@example.test");
  await hannah.choose("Where it hurts", "Upper back");
  await hannah.press(hannah.button("Send the invitation"));
  await hannah.page.getByRole("heading", { name: "Nur Aisyah Rahman" }).waitFor();
  await inspect(hannah, "patient just invited");
  await assignTemplate(hannah);
  await inspect(hannah, "program");
  const program = hannah.page.url();
  await hannah.press(hannah.link("On paper"));
  await inspect(hannah, "program on paper");
  await hannah.page.goto(program);
  await hannah.press(hannah.link("Nur Aisyah Rahman"));
  await inspect(hannah, "patient with a program");

  step("She looks through the library and the templates");
  await hannah.press(hannah.menu("Library"));
  await hannah.sees("Wall angels");
  await inspect(hannah, "library");
  await hannah.press(hannah.link("Wall angels"));
  await hannah.sees("How to do it");
  await inspect(hannah, "exercise");
  await hannah.press(hannah.menu("Programs"));
  await hannah.sees("Upper back relief");
  await inspect(hannah, "templates");
  await hannah.leave();

  step("The worker writes the invitation and tells both of their program");
  const before = await tick();
  assert.deepEqual([before.dead, before.retried, before.unknown], [0, 0, 0]);
  // Aisyah has no password yet, so the news of her program lets her in as the invitation does; Mei's leads to Today.
  assert.deepEqual(await gotMail("/welcome/"), ["aisyah@example.test", "aisyah@example.test"]);
  const mails = await mailTo("aisyah@example.test");
  assert.equal(mails.length, 2, "an invitation and the news of a program");
  for (const mail of mails) assert.doesNotMatch(mail.subject, /pain|back|exercise/i, "no health data stands in a subject");
  assert.equal((await mailTo("mei@example.test")).length, 1);
  return linkIn(mails.find((mail) => mail.text.includes("/welcome/")), "/welcome/");
}
