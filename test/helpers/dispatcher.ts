import type { Dispatcher } from '../../lib/keys/fetch-json.ts'

/** The dispatcher that Node's own fetch uses, by the name under which undici shares it. There is one after a first fetch. */
export function globalDispatcher(): Dispatcher {
  return Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1')) as Dispatcher
}
