// The whole loop, as people live it. Run by tests/tests/browser.rs, which sets the stage.
import { begin, end, keepEvidence } from "./stage.mjs";
import { passStandards } from "./standards.mjs";
import { physiotherapistAssigns } from "./story/assign.mjs";
import { logsFromTheMail, logsWithoutScript, remindersGoToWhoIsOpen } from "./story/next_day.mjs";
import { buildsWithoutScript, physiotherapistReadsIt } from "./story/read.mjs";
import { patientJoinsAndDoesTheSession } from "./story/session.mjs";

await begin();
try {
  const invitation = await physiotherapistAssigns();
  await patientJoinsAndDoesTheSession(invitation);
  await remindersGoToWhoIsOpen();
  await logsFromTheMail();
  await logsWithoutScript();
  await physiotherapistReadsIt();
  await buildsWithoutScript();
  passStandards();
  console.log("The story ended well.");
} catch (error) {
  console.error(`\nThe story broke: ${error.stack ?? error}\n`);
  console.error(`Pictures of what was on the screens: ${await keepEvidence()}`);
  process.exitCode = 1;
} finally {
  await end();
}
