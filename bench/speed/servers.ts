import type { Issuer } from '../issuer.ts'
import { Server } from './processes.ts'

/** Starts contestants; one that can't be started is left out, and it is said why. */
export async function startAll(names: readonly string[], issuer: Issuer): Promise<Server[]> {
  const servers: Server[] = []
  for (const name of names) {
    try {
      servers.push(await Server.start(name, issuer))
    } catch (error) {
      console.log((error as Error).message)
    }
  }
  return servers
}
