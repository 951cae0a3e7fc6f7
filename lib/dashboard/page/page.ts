import { createHash } from 'node:crypto';
import { bodyOf } from './markup.js';
import { script } from './script/index.js';
import { style } from './style.js';

/** An inline image: a browser would ask for /favicon.ico otherwise. */
const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M12 1 3 5v7c0 5 4 9 9 11 5-2 9-6 9-11V5z" fill="#3a5bd9"/><path d="M6 12h3l2-4 3 8 2-4h2" fill="none" stroke="#fff" stroke-width="2"/></svg>',
)}`;

/**
 * Runs this script and this style and nothing else, and talks to nobody but the application. The page
 * puts everything it is sent into text nodes; Trusted Types make the browser see to that.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** What of the page is not the same for everybody. */
interface PageOptions {
  /** Whether there are buttons. */
  readonly controls: boolean;
  /** How the process is called. */
  readonly instance: string;
  /** Whether there are others beside it. */
  readonly hasFleet: boolean;
}

/** The whole page. */
export function page({ controls, instance, hasFleet }: PageOptions): string {
  return `<!doctype html>
<html lang="en" data-waiting data-controls="${controls}" data-fleet="${hasFleet}" data-instance="${escaped(instance)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Resilience</title>
<link rel="icon" href="${ICON}">
<style>${style}</style>
</head>
<body>
${bodyOf(hasFleet)}
<script>${script}</script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
