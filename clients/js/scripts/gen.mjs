// Writes src/wire.gen.ts: the types of frames from spec/frames.schema.json, those of the REST answers from
// spec/openapi.yaml, and the table of error codes from wire/error.go. With --check it only says whether the file in
// the tree is what it would write.

import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";

const root = new URL("../../../", import.meta.url);
const target = new URL("../src/wire.gen.ts", import.meta.url);
const frames = JSON.parse(readFileSync(new URL("spec/frames.schema.json", root), "utf8"));
const api = parse(readFileSync(new URL("spec/openapi.yaml", root), "utf8"), { merge: true });
const codes = readFileSync(new URL("wire/error.go", root), "utf8");

// Names that differ from those of the schema: what a reader of the client expects.
const renamed = { code: "ErrorCode", time: "Time", uuid: "AgentId", Error: "ErrorBody", Strings: "Strings" };
// Schemas that say nothing a type could say.
const plain = { count: "number", Count: "number", positive: "number", cursor: "string", Id: "string" };
// Members of a start that the client spells its own way.
const unused = new Set(["StartRequest"]);
// What both documents define comes from the frames' schema, which says more.
const shared = new Set(["Accounts", "AgentAccounts", "ViewerAccounts", "Count", "Counts", "Level"]);

const pascal = (name) => name.replace(/(^|_)([a-z])/g, (_, _bar, letter) => letter.toUpperCase());
const named = (name) => plain[name] ?? renamed[name] ?? pascal(name);
const refName = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

/** The TypeScript type of a schema. */
function typeOf(schema, indent) {
  if (schema === true || schema === undefined) return "unknown";
  if (schema.$ref) return named(refName(schema.$ref));
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (schema.oneOf) return schema.oneOf.map((one) => typeOf(one, indent)).join(" | ");
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(" | ");
  }
  switch (schema.type) {
    case "string": return "string";
    case "integer": case "number": return "number";
    case "boolean": return "boolean";
    case "null": return "null";
    case "array": return `${wrapped(typeOf(schema.items, indent))}[]`;
    case "object": return objectOf(schema, indent);
    default: throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
}

const wrapped = (type) => (type.includes(" | ") ? `(${type})` : type);

function objectOf(schema, indent) {
  if (schema.properties) return `{\n${membersOf(schema, indent + "  ")}${indent}}`;
  const key = schema.propertyNames?.$ref === "#/$defs/gap_reason" ? "GapReason" : "string";
  const value = typeOf(schema.additionalProperties, indent);
  return key === "string" ? `Record<string, ${value}>` : `Partial<Record<${key}, ${value}>>`;
}

function membersOf(schema, indent) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, member]) => {
    const note = member.description ? `${indent}/** ${member.description} */\n` : "";
    return `${note}${indent}${name}${required.has(name) ? "" : "?"}: ${typeOf(member, indent)};\n`;
  }).join("");
}

/** A declaration: an interface for an object with members, an alias for anything else. */
function declare(name, schema) {
  const note = schema.description ? `/** ${schema.description} */\n` : "";
  if (schema.type === "object" && schema.properties) {
    return `${note}export interface ${name} {\n${membersOf(schema, "  ")}}\n`;
  }
  return `${note}export type ${name} = ${typeOf(schema, "")};\n`;
}

/** What the schema says of one event: the required members, and those whose type it narrows. */
function controlRule(event) {
  const rule = frames.$defs.control.allOf?.find((one) => one.if.properties.event.const === event);
  return { required: rule?.then.required ?? [], properties: rule?.then.properties ?? {} };
}

function controlFrames() {
  const control = frames.$defs.control;
  const events = control.properties.event.enum;
  const base = { ...control, properties: { ...control.properties, event: { enum: events } } };
  const out = [declare("ControlMembers", base)];
  for (const event of events) {
    const { required, properties } = controlRule(event);
    const members = required.map((name) => [name, typeOf(properties[name] ?? control.properties[name], "  ")])
      .map(([name, type]) => `  ${name}: ${type};\n`);
    const name = `${pascal(event)}Frame`;
    out.push(`/** The control frame \`${event}\`. */\nexport interface ${name} extends ControlMembers {\n` +
      `  event: ${JSON.stringify(event)};\n${members.join("")}}\n`);
  }
  out.push(`/** What is not an event of a log. */\nexport type ControlFrame = ${
    events.map((event) => `${pascal(event)}Frame`).join(" | ")};\n`);
  return out;
}

function frameTypes() {
  const out = [];
  for (const [name, schema] of Object.entries(frames.$defs)) {
    if (name in plain || name === "control") continue;
    out.push(declare(name === "log" ? "LogFrame" : named(name), schema));
  }
  out.push(...controlFrames());
  out.push("/** One message of a stream. */\nexport type Frame = LogFrame | ControlFrame;\n");
  return out;
}

function restTypes() {
  const out = [];
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    if (name in plain || shared.has(name) || unused.has(name)) continue;
    if (name === "Strings") {
      // Either form may be sent; what the server answers is a list.
      out.push("/** A list of words, as the server answers it. */\nexport type Strings = string[];\n");
      continue;
    }
    const typed = name === "Error" ? withErrorCode(schema) : schema;
    out.push(declare(named(name), typed));
  }
  for (const operations of Object.values(api.paths)) {
    for (const operation of Object.values(operations)) {
      const answer = inlineAnswer(operation);
      if (answer) out.push(declare(`${pascal(operation.operationId.replace(/^[a-z]/, (c) => c.toUpperCase()))}Answer`, {
        description: `The answer of ${operation.operationId}.`, ...answer,
      }));
    }
  }
  return out;
}

function withErrorCode(schema) {
  return { ...schema, properties: { ...schema.properties, error: { $ref: "#/$defs/code" } } };
}

/** The schema of an operation's good answer, where it is written in place and has members. */
function inlineAnswer(operation) {
  for (const [status, answer] of Object.entries(operation?.responses ?? {})) {
    const schema = answer.content?.["application/json"]?.schema;
    if (status.startsWith("2") && schema?.properties) return schema;
  }
  return undefined;
}

/** The table of codes: a constant's word beside its row in codeTable. */
function codeTable() {
  const words = new Map([...codes.matchAll(/^\t(Code\w+)\s+(?:Code\s+)?= "(\w+)"$/gm)].map((m) => [m[1], m[2]]));
  const rows = [...codes.matchAll(/^\t(Code\w+):\s+\{(\d+), /gm)].map((m) => [words.get(m[1]), Number(m[2])]);
  const known = frames.$defs.code.enum;
  if (rows.length !== known.length || rows.some(([word]) => !known.includes(word))) {
    throw new Error(`wire/error.go has ${rows.length} codes, spec/frames.schema.json ${known.length}`);
  }
  return "/** The HTTP status of each code. */\n" +
    "export const CODE_STATUS: { readonly [code in ErrorCode]: number } = {\n" +
    rows.map(([word, status]) => `  ${word}: ${status},\n`).join("") + "};\n";
}

const text = ["// Generated by scripts/gen.mjs from spec/ and wire/error.go; run `npm run gen`. Not to be edited.\n",
  ...frameTypes(), ...restTypes(), codeTable()].join("\n");

if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error("clients/js/src/wire.gen.ts is not what spec/ says: run npm run gen in clients/js and commit it");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
