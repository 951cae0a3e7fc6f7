import { TsJestTransformer } from 'ts-jest';

const MAP = /\n\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,([\w+/=]+)\s*$/;

/**
 * What ts-jest makes of a file ends with its source map, as a comment three times as long as the code. Every
 * file of tests compiles the whole library anew, and with it these comments: here, the map stands beside
 * the code, where Jest reads it when there is a stack to show.
 */
class Transformer extends TsJestTransformer {
  process(...file) {
    return apart(super.process(...file));
  }

  async processAsync(...file) {
    return apart(await super.processAsync(...file));
  }
}

function apart({ code }) {
  const map = MAP.exec(code)?.[1];
  if (map === undefined) return { code };
  return { code: code.replace(MAP, '\n'), map: Buffer.from(map, 'base64').toString() };
}

export default { createTransformer: (options) => new Transformer(options) };
