// What masto can do: the paths of its methods, read from its declarations, and the fields its answers must have.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "node_modules/masto/dist/esm/mastodon");

/** Every interface below a folder: name -> {members: [[name, type]], parents: [name]}. */
function readInterfaces(folder) {
  const found = new Map();
  for (const entry of readdirSync(join(ROOT, folder), { recursive: true })) {
    // Those of administrators have the same names.
    if (!entry.endsWith(".d.ts") || entry.startsWith("admin") || entry.includes("/admin/")) continue;
    const text = readFileSync(join(ROOT, folder, entry), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, name, parents, body] of text.matchAll(/export interface ([\w$]+)(?:<[^{]*?>)?(?: extends ([^{]+))? \{\n([\s\S]*?)\n\}/g)) {
      const members = [...body.matchAll(/^ {4}(?:readonly )?([\w$]+)(\??)(\(.*?\))?: ([\s\S]*?);$/gm)];
      found.set(name, {
        parents: (parents ?? "").split(",").map((one) => one.trim().replace(/<.*/, "")).filter(Boolean),
        members: members.map(([, field, optional, call, type]) => ({ field, optional: optional === "?", call, type })),
      });
    }
  }
  return found;
}

/** Paths such as v1.lists.$select.accounts.create, each with the type it gives. */
export function listMethods() {
  const interfaces = readInterfaces("rest");
  const methods = new Map();
  const walk = (name, path) => {
    const { members, parents } = interfaces.get(name);
    for (const parent of parents) walk(parent, path);
    for (const { field, call, type } of members) {
      const inner = type.replace(/^v[12]\./, "").replace(/<.*/s, "");
      const here = [...path, field];
      if (field === "admin") continue;
      if (type.startsWith("Method<") || type.startsWith("{\n        (params")) methods.set(here.join("."), type);
      else if (interfaces.has(inner)) walk(inner, here);
      else throw new Error(`what is ${here.join(".")}: ${type}?`);
    }
  };
  for (const version of interfaces.get("Client").members) {
    // Both versions have interfaces of the same names.
    for (const [name, one] of readInterfaces(`rest/${version.field}`)) interfaces.set(name, one);
    walk(version.type, [version.field]);
  }
  return methods;
}

/** A client that notes the paths of the methods that are called on it. */
export function record(client, called, path = []) {
  return new Proxy(client, {
    get(target, name) {
      const inner = target[name];
      if (typeof name !== "string" || name === "then") return inner;
      return record(inner, called, [...path, name]);
    },
    apply(target, self, args) {
      if (path.at(-1) === "$select") return record(Reflect.apply(target, self, args), called, path);
      called.add(path.join("."));
      return Reflect.apply(target, self, args);
    },
  });
}
