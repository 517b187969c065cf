import type { Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

/** No authentication at all. */
export const bare: Contestant = { start: () => startFastify(async () => undefined) }
