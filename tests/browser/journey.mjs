// The whole loop, as people live it. Run by tests/tests/browser.rs, which sets the stage.
import { begin, end, keepEvidence } from "./stage.mjs";
import { passStandards } from "./standards.mjs";
import { physiotherapistAssigns } from "./story/assign.mjs";

await begin();
try {
  await physiotherapistAssigns();
  passStandards();
  console.log("The story ended well.");
} catch (error) {
  console.error(`\nThe story broke: ${error.stack ?? error}\n`);
  console.error(`Pictures of what was on the screens: ${await keepEvidence()}`);
  process.exitCode = 1;
} finally {
  await end();
}
