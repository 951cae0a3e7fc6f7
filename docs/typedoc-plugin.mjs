import { PageEvent } from 'typedoc';

/** Entry points are called as users import them, while their folders keep the names of the source. */
const entryPoint = (name) => (name === 'index' ? 'nestjs-bulwark' : `nestjs-bulwark/${name}`);

/** Titles the pages of entry points. */
export function load(app) {
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents?.replace(
      /^- \[(\w+)\]\(\1\/index\.md\)$/gm,
      (_, name) => `- [${entryPoint(name)}](${name}/index.md)`,
    );
    if (/^\w+\/index\.md$/.test(page.url))
      page.contents = page.contents.replace(/^# (\w+)$/m, (_, name) => `# ${entryPoint(name)}`);
  });
}
