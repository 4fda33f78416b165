// The physiotherapist signs in.
import { PASSWORD, atDesk, step } from "../stage.mjs";
import { inspect } from "../standards.mjs";

export async function physiotherapistAssigns() {
  const hannah = await atDesk("Hannah, physiotherapist");

  step("Hannah signs in and sees her caseload");
  await hannah.page.goto("/sign-in");
  await inspect(hannah, "sign-in");
  await hannah.fill("Email", "physio@riverside.test");
  await hannah.fill("Password", PASSWORD);
  await hannah.press(hannah.button("Sign in"));
  await hannah.isAt("/patients");
  await hannah.sees("Farah Aziz");
  await inspect(hannah, "caseload");
  await hannah.leave();
}
