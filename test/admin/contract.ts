import { Ajv2020 } from 'ajv/dist/2020.js';

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, { content?: object }> }>>;
}

/** What an API says of its answers, by its OpenAPI document. */
export class Contract {
  private readonly ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });

  constructor(readonly document: Document) {
    this.ajv.addSchema(closed(document) as object, 'api');
  }

  /** What of an answer is not as it is described; a path or a status that is not described is a problem too. */
  problems(method: string, path: string, status: number, body: unknown): string[] {
    const { paths } = this.document;
    const verb = method.toLowerCase();
    const template = Object.keys(paths).find((each) => fits(path, each) && paths[each]?.[verb]);
    const operation = template && paths[template]?.[verb];
    if (!template || !operation) return [`${method} ${path} is not described`];
    const described = operation.responses[status] === undefined ? 'default' : String(status);
    const response = operation.responses[described];
    if (described === 'default' && status < 400) return [`${status} is not described`];
    if (response?.content === undefined)
      return body === undefined ? [] : [`${status} is described without a body`];
    const pointer = [
      'paths',
      template,
      verb,
      'responses',
      described,
      'content',
      'application/json',
    ];
    const place = pointer.map((part) => encodeURIComponent(part.replaceAll('/', '~1'))).join('/');
    const validate = this.ajv.compile({ $ref: `api#/${place}/schema` });
    if (validate(body)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      [instancePath, message, JSON.stringify(params)].join(' '),
    );
  }
}

function fits(path: string, template: string): boolean {
  const [parts, expected] = [path.split('/'), template.split('/')];
  return (
    parts.length === expected.length &&
    expected.every((part, index) => part.startsWith('{') || part === parts[index])
  );
}

/** The same where what is not described is wrong: users may get more one day, these tests do not. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)]);
  const copy = Object.fromEntries(entries) as Record<string, unknown>;
  const isWhole = copy.type === 'object' && 'properties' in copy;
  return isWhole ? { additionalProperties: false, ...copy } : copy;
}
