import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Page, ROOT, readPage } from './pages.js';

/** How examples write `@` at the beginning of a line, where it would begin a tag of the comment. */
const FULL_WIDTH_AT = /＠/g;

/** What stands in a class. */
const MEMBER = /^(@|async |constructor\b|private |readonly )/;

/** The examples of the docstrings of the library, as snippets of one page for each file that has some. */
export function examplePages(): Page[] {
  const files = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const snippets = examplesIn(readFileSync(join(ROOT, 'lib', file), 'utf8')).map(asSnippet);
      const name = `lib/${file.replace(/\.ts$/, '')}`;
      return snippets.length === 0 ? [] : [readPage(name, snippets.join('\n'))];
    });
}

function examplesIn(source: string): string[] {
  const comments = source.match(/\/\*\*.*?\*\//gs) ?? [];
  return comments.flatMap((comment) => {
    const lines = comment.slice(3, -2).replace(/^ *\* ?/gm, '');
    const [, ...examples] = lines.split(/^ ?@example\b/m);
    return examples.map((example) => (example.split(/^@\w/m)[0] ?? '').trim());
  });
}

function asSnippet(example: string): string {
  const code = example.replace(FULL_WIDTH_AT, '@');
  if (code.startsWith('import')) return fence(code);
  return fence(
    MEMBER.test(code)
      ? `export class Example {\n${code}\n}`
      : `export async function example() {\n${code}\n}`,
  );
}

function fence(code: string): string {
  return `\`\`\`ts\n${code}\n\`\`\`\n`;
}
