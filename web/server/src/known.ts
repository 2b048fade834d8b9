/** Refuses at run time the names that TypeScript refuses when it compiles: nothing would read them. */
import type { DescEnum, DescMessage } from "@bufbuild/protobuf";

/** The names of the fields of a message, as `create` takes them. */
export function fieldsOf(kind: DescMessage): string[] {
  return kind.members.map((member) => member.localName);
}

/** @throws TypeError An option has another name than those. */
export function expectKnown(what: string, options: object, known: readonly string[]): void {
  const strange = Object.keys(options).filter((name) => !known.includes(name) && !name.startsWith("$"));
  if (strange.length > 0) throw new TypeError(`${what}: unknown option ${strange.map((name) => `"${name}"`).join(", ")}; known: ${known.join(", ")}`);
}

/** @throws TypeError A field of the message, or of one within it, has a name or an enum value that is not of its kind. */
export function expectFields(kind: DescMessage, message: object): void {
  // Those have forms of their own, such as any object for a Struct.
  if (kind.typeName.startsWith("google.protobuf.")) return;
  expectKnown(kind.name, message, fieldsOf(kind));
  for (const field of kind.fields) {
    if (field.message === undefined && field.enum === undefined) continue;
    const content = (message as Record<string, unknown>)[field.oneof?.localName ?? field.localName];
    const value = field.oneof ? chosen(content, field.localName) : content;
    if (field.enum !== undefined) {
      for (const one of Array.isArray(value) ? value : [value]) expectEnum(`${kind.name}.${field.localName}`, field.enum, one);
      continue;
    }
    const within = typeof value !== "object" || value === null ? [] : field.fieldKind === "message" ? [value] : Object.values(value);
    for (const one of within) if (typeof one === "object" && one !== null) expectFields(field.message, one);
  }
}

function expectEnum(what: string, kind: DescEnum, value: unknown): void {
  if (value === undefined || typeof value === "number") return;
  // As it is exported: one within a message has that message's name first.
  const name = kind.parent ? `${kind.parent.name}_${kind.name}` : kind.name;
  const known = kind.values.map(({ localName }) => `${name}.${localName}`).join(", ");
  throw new TypeError(`${what}: ${JSON.stringify(value)} is no ${name}; use one of ${known}`);
}

function chosen(oneof: unknown, name: string): unknown {
  const { case: which, value } = (oneof ?? {}) as { case?: string; value?: unknown };
  return which === name ? value : undefined;
}
