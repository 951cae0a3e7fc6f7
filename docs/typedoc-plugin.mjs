import { PageEvent } from 'typedoc';

/** Entry points are called as users import them, while their folders keep the names of the source. */
const entryPoint = (name) => (name === 'index' ? 'nestjs-bulwark' : `nestjs-bulwark/${name}`);

/** Calls entry points by their names: in the list of them, in the title of each, and in the path above each page. */
export function load(app) {
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents
      ?.replace(
        /^- \[(\w+)\]\(\1\/index\.md\)$/gm,
        (_, name) => `- [${entryPoint(name)}](${name}/index.md)`,
      )
      .replace(
        /^\[nestjs-bulwark\](\(\S+\)) \/ (\[?)(\w+)/,
        (_, link, bracket, name) => `[Reference]${link} / ${bracket}${entryPoint(name)}`,
      );
    if (/^\w+\/index\.md$/.test(page.url))
      page.contents = page.contents.replace(/^# (\w+)$/m, (_, name) => `# ${entryPoint(name)}`);
  });
}
