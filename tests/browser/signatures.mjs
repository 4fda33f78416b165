// Judges mails by Andris Reinman's mailauth, which shares no code with what signed them.
//
//   node signatures.mjs keys                    prints private keys in every form that people have them in
//   node signatures.mjs verify < question       { records: { "name": "value" }, mails: [base64, …] } → what each mail's signatures are worth
import { generateKeyPairSync } from "node:crypto";
import { text } from "node:stream/consumers";
import verifier from "mailauth/lib/dkim/verify.js";

const answer = process.argv[2] === "keys" ? keys() : await verify(JSON.parse(await text(process.stdin)));
console.log(JSON.stringify(answer));

function keys() {
  const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { privateKey: short } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const { privateKey: ed25519 } = generateKeyPairSync("ed25519");
  const pem = (key, type = "pkcs8") => key.export({ type, format: "pem" });
  const seed = Buffer.from(ed25519.export({ format: "jwk" }).d, "base64url").toString("base64");
  return { rsaPkcs1: pem(rsa, "pkcs1"), rsaPkcs8: pem(rsa), short: pem(short), ed25519: pem(ed25519), ed25519Seed: seed };
}

async function verify({ records, mails }) {
  // The DNS of this test: what `homestretch check` tells the operator to publish, cut as a zone file cuts it.
  const resolver = async (name, type) => {
    if (type !== "TXT" || !records[name]) throw Object.assign(new Error(`no ${type} of ${name}`), { code: "ENOTFOUND" });
    return [records[name].match(/.{1,255}/g)];
  };
  return Promise.all(
    mails.map(async (mail) => {
      const { results } = await verifier.dkimVerify(Buffer.from(mail, "base64"), { resolver });
      return results.map((one) => ({
        result: one.status.result,
        why: one.status.comment ?? "",
        aligned: one.status.aligned ?? "",
        domain: one.signingDomain,
        selector: one.selector,
        algorithm: one.algo,
        format: one.format,
        covered: (one.signingHeaders?.keys ?? "").toLowerCase(),
      }));
    }),
  );
}
