import { groupIconMdPlugin, groupIconVitePlugin } from 'vitepress-plugin-group-icons';
import llms from 'vitepress-plugin-llms';
import { withMermaid } from 'vitepress-plugin-mermaid';
import packageJson from '../../package.json' with { type: 'json' };
import { PAGES, REFERENCE } from './sidebar';

export default withMermaid({
  title: 'nestjs-bulwark',
  description: packageJson.description,
  lang: 'en',
  srcExclude: ['.run/**', 'README.md'],
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: '/logo.svg' }]],
  ignoreDeadLinks: false, // a dead link fails the build
  markdown: {
    languageAlias: { promql: 'sql' }, // the nearest of those that are known
    theme: { light: 'github-light', dark: 'github-dark' },
    config: (md) => void md.use(groupIconMdPlugin), // shows the names of files
  },
  mermaid: { sequence: { width: 120, actorMargin: 24, diagramMarginX: 8 } }, // large enough to be read in a column
  themeConfig: {
    logo: '/logo.svg',
    nav: [
      { text: 'Guide', link: '/guide/getting-started', activeMatch: '^/(guide|policies)/' },
      { text: 'Operations', link: '/operations/checklist', activeMatch: '^/operations/' },
      { text: 'Recipes', link: '/recipes/fetch', activeMatch: '^/recipes/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: packageJson.version, link: '/project/changelog' },
    ],
    sidebar: { '/reference/': REFERENCE, '/': PAGES },
    outline: [2, 3],
    search: { provider: 'local' },
    footer: { message: 'MIT License' },
  },
  vite: {
    plugins: [groupIconVitePlugin(), llms({ ignoreFiles: ['reference/**'], sidebar: PAGES })],
    server: { fs: { allow: ['../..'] } }, // pictures of the sample and of the simulation
  },
});
