import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const DOCS = join(ROOT, 'docs');

/** A block of code of a page: ```` ```ts [orders.service.ts] ````. */
export interface Fence {
  readonly language: string;
  /** What stands in square brackets: of TypeScript the name of the file that the block is. */
  readonly title: string | undefined;
  readonly code: string;
  /** Where it begins, from 1. */
  readonly line: number;
}

/** A page of the documentation. */
export interface Page {
  /** From `docs/`, without its ending: `recipes/axios`. */
  readonly name: string;
  readonly text: string;
  readonly fences: readonly Fence[];
  /** The servers that its programs talk to, by the line `needs: redis, rabbitmq` at its beginning. */
  readonly needs: readonly string[];
  /** The packages with whose newest release its programs run once more, by the line `newest: opossum` there. */
  readonly newest: readonly string[];
  /** What its snippets use without showing it, in a comment that begins with `<!-- prelude`. */
  readonly prelude: string;
}

/** What is not written by hand, or is no page. */
const SKIPPED = ['node_modules', 'reference', '.vitepress', '.run'];

/** All pages that are written by hand. */
export function pages(): Page[] {
  const inside = (folder: string): string[] =>
    readdirSync(join(DOCS, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.includes(entry.name) ? [] : inside(path);
      return path.endsWith('.md') ? [path] : [];
    });
  return inside('')
    .sort()
    .map((path) => readPage(path.replace(/\.md$/, ''), readFileSync(join(DOCS, path), 'utf8')));
}

export function readPage(name: string, text: string): Page {
  return {
    name,
    text,
    fences: fencesOf(text),
    needs: listOf('needs', text),
    newest: listOf('newest', text),
    prelude: /<!-- prelude\n([\s\S]*?)-->/.exec(text)?.[1] ?? '',
  };
}

function listOf(key: string, text: string): string[] {
  const [, frontmatter = ''] = /^---\n([\s\S]*?)\n---\n/.exec(text) ?? [];
  return new RegExp(`^${key}: (.*)$`, 'm').exec(frontmatter)?.[1]?.split(/\s*,\s*/) ?? [];
}

function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open:
    | { mark: string; indent: string; info: string; line: number; code: string[] }
    | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (open === undefined) {
      const [, indent = '', mark, info = ''] = /^(\s*)(`{3,})(.*)$/.exec(line) ?? [];
      if (mark !== undefined) open = { mark, indent, info, line: index + 1, code: [] };
    } else if (line.trim() === open.mark) {
      const [, language = '', title] = /^(\w*)[^[]*(?:\[(.+)\])?/.exec(open.info) ?? [];
      fences.push({ language, title, code: `${open.code.join('\n')}\n`, line: open.line });
      open = undefined;
    } else {
      open.code.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  return fences;
}

/** The TypeScript files of a page, by name: of several blocks with one name the last. */
export function filesOf({ fences }: Page): Map<string, string> {
  return new Map(
    fences.flatMap(({ language, title, code }) =>
      language === 'ts' && title !== undefined ? [[title, code] as const] : [],
    ),
  );
}
