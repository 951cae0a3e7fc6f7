import type { LazyModuleLoader } from '@nestjs/core';

/** Tells after each module that an application loads lazily, before whoever has asked for it gets it. */
export function afterLazyLoad(loader: Pick<LazyModuleLoader, 'load'>, tell: () => void): void {
  const load = loader.load.bind(loader);
  loader.load = async (...args: Parameters<LazyModuleLoader['load']>) => {
    const loaded = await load(...args);
    tell();
    return loaded;
  };
}
