// Shows the OpenAPI document of this listener. Text is only ever set as text.
"use strict";

function add(parent, name, text) {
  const child = parent.appendChild(document.createElement(name));
  if (text !== undefined) child.textContent = text;
  return child;
}

function table(parent, heads, rows) {
  if (rows.length === 0) return;
  const made = add(parent, "table");
  const head = add(made, "tr");
  for (const text of heads) add(head, "th", text);
  for (const row of rows) {
    const line = add(made, "tr");
    for (const text of row) add(line, "td", text);
  }
}

// A schema as an example of its form; each name is followed once on the way down.
function form(api, schema, seen) {
  if (!schema) return null;
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    if (seen.includes(name)) return name;
    return form(api, api.components.schemas[name], [...seen, name]);
  }
  const parts = schema.allOf || schema.oneOf || schema.anyOf;
  if (parts && schema.allOf) return Object.assign({}, ...parts.map((part) => form(api, part, seen)));
  if (parts) return parts.map((part) => form(api, part, seen)).find((part) => part !== null);
  const type = [].concat(schema.type || "any").find((word) => word !== "null");
  if (type === "array") return [form(api, schema.items, seen)];
  if (type === "object" && schema.properties) {
    const entries = Object.entries(schema.properties);
    return Object.fromEntries(entries.map(([key, value]) => [key, form(api, value, seen)]));
  }
  return schema.enum ? schema.enum.join(" | ") : schema.format || type;
}

function operation(api, parent, method, path, item) {
  const made = add(parent, "details");
  const summary = add(made, "summary");
  add(summary, "code", method.toUpperCase() + " " + path);
  summary.append(" " + (item.summary || ""));
  if (item.description) add(made, "p", item.description);
  const parameters = (item.parameters || []).map((each) => [each.name, each.in, each.description || ""]);
  table(made, ["Parameter", "In", "Meaning"], parameters);
  const answers = Object.entries(item.responses || {});
  table(made, ["Status", "Meaning"], answers.map(([status, answer]) => [status, answer.description]));
  const good = answers.find(([status]) => status.startsWith("2"));
  const content = good && good[1].content && good[1].content["application/json"];
  if (content) add(made, "pre", JSON.stringify(form(api, content.schema, []), null, 2));
}

function show(api) {
  document.getElementById("about").textContent = api.info.description;
  const main = document.getElementById("operations");
  for (const tag of api.tags || []) {
    const section = add(main, "section");
    add(section, "h2", tag.description || tag.name);
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, item] of Object.entries(methods)) {
        if ((item.tags || []).includes(tag.name)) operation(api, section, method, path, item);
      }
    }
  }
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("about").textContent = "Cannot be shown: " + error; });
