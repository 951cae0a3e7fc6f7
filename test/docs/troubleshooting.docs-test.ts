import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { pages, ROOT } from './pages.js';

const page = pages().find(({ name }) => name === 'operations/troubleshooting');
const [byMessage = ''] = page?.text.split('\n## By symptom') ?? [];

/** The words of messages: what stands as code in a heading, or at the beginning of a row. */
const quotes = byMessage
  .split('\n')
  .map((line) => /^(?:### |\| )`(.+?)`(?: \||$)/.exec(line)?.[1] ?? '')
  .filter((quote) => quote.includes(' '));

const HOLE = '…';
/** Words that most messages have, by which none is told apart. */
const isCommon = (piece: string) =>
  /^(is|has|allowed|an object with|one of the two|\W)*$/.test(piece);
const partsOf = (quote: string) =>
  quote
    .split(HOLE)
    .map((part) => part.trim())
    .filter((part) => part.length > 2);

/** A text in the library, without what stands in its holes. */
type Text = readonly string[];

function textOf(node: ts.Node): Text {
  if (ts.isStringLiteralLike(node)) return node.text.split(HOLE);
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  if (ts.isBinaryExpression(node)) return [...textOf(node.left), ...textOf(node.right)];
  return [];
}

const branchesOf = (node: ts.Expression): ts.Expression[] =>
  ts.isConditionalExpression(node) ? [node.whenTrue, node.whenFalse] : [node];

const texts: Text[] = [];
const refusals: { readonly text: Text; readonly place: string }[] = [];
for (const file of readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.ts')) continue;
  const code = readFileSync(join(ROOT, 'lib', file), 'utf8');
  const visit = (node: ts.Node): void => {
    const text = textOf(node);
    if (text.length > 0) texts.push(text);
    if (ts.isNewExpression(node) && node.expression.getText() === 'ResilienceConfigurationError') {
      const messages = node.arguments?.slice(1, 2).flatMap(branchesOf) ?? [];
      refusals.push(...messages.map((message) => ({ text: textOf(message), place: file })));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true));
}

const has = (text: Text, part: string) => text.some((piece) => piece.includes(part));

describe('The page about troubleshooting', () => {
  it('quotes messages in the words in which the library says them', () => {
    expect(quotes.length).toBeGreaterThan(100);
    const unknown = quotes.filter((quote) =>
      partsOf(quote).some((part) => !texts.some((text) => has(text, part))),
    );
    expect(unknown).toEqual([]);
  });

  it('knows what to do about each mistake in the configuration', () => {
    const telling = quotes.flatMap(partsOf).filter((part) => part.length >= 10);
    const unsaid = refusals.filter(
      ({ text }) =>
        text.some((piece) => !isCommon(piece)) && !telling.some((part) => has(text, part)),
    );
    expect(refusals.length).toBeGreaterThan(100);
    expect(unsaid).toEqual([]);
  });

  it('has a section for each code of an error', () => {
    const ofErrors = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.error.ts'))
      .flatMap((file) => {
        const code = readFileSync(join(ROOT, 'lib', file), 'utf8');
        return [...code.matchAll(/readonly code = '(\w+)'/g)].map(([, name]) => name as string);
      });
    expect(ofErrors.length).toBeGreaterThan(4);
    for (const code of ofErrors) expect(byMessage).toContain(`\n### \`${code}\`\n`);
  });
});
