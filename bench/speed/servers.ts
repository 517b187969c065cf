import type { Issuer } from '../issuer.ts'
import { Server } from './processes.ts'

/** Starts contestants; one that can't be started is left out, and it is said why. */
export async function startAll(names: readonly string[], issuer: Issuer): Promise<Server[]> {
  const servers: Server[] = []
  for (const name of names) {
    try {
      servers.push(await Server.start(name, issuer))
    } catch (error) {
      const { message } = error as Error
      console.log(`${name} is left out: ${/^\w*Error: .{0,100}/m.exec(message)?.[0] ?? message}`)
    }
  }
  return servers
}
