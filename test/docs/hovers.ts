import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { DOCS, ROOT } from './pages.js';
import { COMPILER_OPTIONS } from './programs.js';

const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** The entry points of the package, as users name them. */
export const ENTRIES = Object.keys(MANIFEST.exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => `${MANIFEST.name}${path.slice(1)}`);

/** What an editor shows of a name, of one signature of a function, or of a member. */
export interface Hover {
  /** `CircuitBreakerOptions.timeoutMs`. */
  readonly name: string;
  readonly text: string;
  readonly tags: readonly { readonly name: string; readonly text: string }[];
}

/** A user's program that imports all there is, in an editor. */
const FILE = join(DOCS, '.run/types/hover.ts');
const editor = editorOf(
  ENTRIES.map((entry, index) => `import * as entry${index} from '${entry}';`).join('\n'),
);
const program = editor.getProgram() as ts.Program;
const checker = program.getTypeChecker();

/** The language service of an editor in which a user has the file open. */
function editorOf(source: string): ts.LanguageService {
  const textOf = (path: string) => (path === FILE ? source : ts.sys.readFile(path));
  return ts.createLanguageService({
    getCompilationSettings: () => COMPILER_OPTIONS,
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => '0',
    getScriptSnapshot: (path) => {
      const text = textOf(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (path) => path === FILE || ts.sys.fileExists(path),
    readFile: textOf,
  });
}

/** What an editor shows of names in a user's program, each found by the text that begins with it. */
export function hoversIn(source: string, ...texts: string[]): string[] {
  const open = editorOf(source);
  return texts.map((text) => {
    const { documentation } = open.getQuickInfoAtPosition(FILE, source.indexOf(text)) ?? {};
    return ts.displayPartsToString(documentation);
  });
}

/** The hovers of all that an entry point exports, with their members. */
export function hoversOf(entry: string): Hover[] {
  return exportsOf(entry).flatMap((symbol) => {
    const signatures = checker.getTypeOfSymbol(symbol).getCallSignatures();
    const shown = signatures.length > 0 ? signatures : [symbol];
    return [
      ...shown.map((each) => hover(symbol.name, each)),
      ...membersOf(symbol).map((member) => hover(`${symbol.name}.${member.name}`, member)),
    ];
  });
}

/** What an entry point exports, as the editor finds it in the package that was built. */
function exportsOf(entry: string): ts.Symbol[] {
  const source = program.getSourceFile(FILE) as ts.SourceFile;
  const statement = source.statements[ENTRIES.indexOf(entry)] as ts.ImportDeclaration;
  const module = checker.getSymbolAtLocation(statement.moduleSpecifier) as ts.Symbol;
  return checker
    .getExportsOfModule(module)
    .map((symbol) =>
      (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol),
    );
}

/** The members that the package declares and users can reach, also static ones, also of each type of a union. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const types = type.isUnion() ? type.types : [type];
  const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
  return [...types, ...(isClass ? [checker.getTypeOfSymbol(symbol)] : [])]
    .flatMap((each) => checker.getPropertiesOfType(each))
    .filter((member) => (member.declarations ?? []).some(isReachable));
}

function isReachable(declaration: ts.Declaration): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (
    declaration.getSourceFile().fileName.includes('/dist/') &&
    (ts.getCombinedModifierFlags(declaration) & hidden) === 0 &&
    !ts.isPrivateIdentifier(ts.getNameOfDeclaration(declaration) ?? declaration)
  );
}

function hover(name: string, of: ts.Symbol | ts.Signature): Hover {
  const tags = 'flags' in of ? of.getJsDocTags(checker) : (of as ts.Signature).getJsDocTags();
  return {
    name,
    text: ts.displayPartsToString(of.getDocumentationComment(checker)),
    tags: tags.map((tag) => ({ name: tag.name, text: ts.displayPartsToString(tag.text) })),
  };
}
