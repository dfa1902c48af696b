// Checks JSON documents against the schemas in docs/schema.
//
// usage: node validate.mjs NAME=FILE...      NAME is a schema's name: ports, who, registry-search
//
// The published schemas let unknown fields pass, so that an older reader can take a newer output.
// Here every object is closed first: a field that the schema does not describe is a failure.
import fs from "node:fs";
import path from "node:path";
import url from "node:url";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";

const folder = path.join(path.dirname(url.fileURLToPath(import.meta.url)), "../../docs/schema");

function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const out = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (out.type === "object" && out.properties && !("additionalProperties" in out)) {
    out.additionalProperties = false;
  }
  return out;
}

const ajv = new Ajv({ strict: true, strictRequired: true, allowUnionTypes: true, allErrors: false });
formats(ajv);
const ids = new Map();
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".schema.json")).sort()) {
  const schema = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
  ajv.addSchema(closed(schema));
  ids.set(file.replace(/\.schema\.json$/, ""), schema.$id);
}
for (const id of ids.values()) ajv.getSchema(id);

let failed = false;
for (const argument of process.argv.slice(2)) {
  const [name, file] = argument.split(/=(.*)/s);
  const check = ids.has(name) ? ajv.getSchema(ids.get(name)) : undefined;
  if (!check) {
    console.log(`${name}: there is no such schema; there are ${[...ids.keys()].join(", ")}`);
    failed = true;
    continue;
  }
  if (check(JSON.parse(fs.readFileSync(file, "utf8")))) continue;
  failed = true;
  for (const error of check.errors.slice(0, 5)) {
    const more = error.params.additionalProperty ?? error.params.allowedValues ?? "";
    console.log(`${name}: ${file}${error.instancePath}: ${error.message} ${more}`);
  }
}
process.exit(failed ? 1 : 0);
