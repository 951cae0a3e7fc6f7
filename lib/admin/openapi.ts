import type { Route } from './route.js';
import { CONTROL_HEADER } from './same-origin.js';
import { type ObjectSchema, SCHEMAS, type Schema, schema, types } from './schemas.js';

/** Of what is described, not of the library. */
const VERSION = '1.0.0';

/** The document that describes routes, as OpenAPI 3.1 has it. */
export function openApiOf(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    (paths[route.path] as Record<string, object>)[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Resilience of this application',
      description: 'Of one instance, and of its fleet where it says so.',
      version: VERSION,
    },
    servers: [{ url: '.', description: 'Beside this document.' }],
    paths,
    components: { schemas: SCHEMAS },
  };
}

function operationOf(route: Route): object {
  const { summary, description, answers, missing } = route;
  return {
    operationId: operationId(route),
    summary,
    ...(description !== undefined && { description }),
    ...parametersOf(route),
    ...('body' in route && { requestBody: { required: true, content: json(route.body) } }),
    responses: {
      ...(answers === undefined
        ? { 204: { description: 'It is done.' } }
        : { 200: { description: 'As it is.', content: json(enveloped(answers)) } }),
      ...(route.method !== 'GET' && { 400: failure('Something in the request is wrong.') }),
      ...(missing !== undefined && { 404: failure(`${missing}.`) }),
      default: failure('It was refused, or it failed.'),
    },
  };
}

/** Every answer says which instance gives it. */
function enveloped({ properties, required = [], ...answer }: ObjectSchema): Schema {
  return {
    ...answer,
    properties: { instance: types.text, ...properties },
    required: ['instance', ...required],
  };
}

function parametersOf(route: Route): object {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: types.text,
  }));
  const parameters = [...names, ...inQuery(route)];
  return { parameters: route.method === 'GET' ? parameters : [...parameters, ...told(route)] };
}

function inQuery({ method, query = {} }: Route): object[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    required: method !== 'GET',
    schema: types.text,
  }));
}

function told(route: { readonly isForFleet?: true }): object[] {
  const header = {
    name: CONTROL_HEADER,
    in: 'header',
    required: true,
    description: 'Whatever it is: that it is there shows that no page of another site has sent it.',
    schema: types.text,
  };
  if (!route.isForFleet) return [header];
  const scope = {
    name: 'scope',
    in: 'query',
    description: 'Whether this instance is told, or all of its fleet.',
    schema: { type: 'string', enum: ['instance', 'fleet'], default: 'instance' },
  };
  return [header, scope];
}

function json(schema: Schema | undefined): object {
  return { 'application/json': { schema } };
}

function failure(description: string): object {
  return { description, content: json(schema('Failure')) };
}

/** `postBreakersByNameOpen` */
function operationId({ method, path }: Route): string {
  const words = path
    .replaceAll(/\{(\w+)\}/g, 'by/$1')
    .split(/\W+/)
    .filter(Boolean);
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
  return method.toLowerCase() + words.map(capital).join('');
}
