import type { Contestant } from '../contestant.ts'
import { startExpress } from './express.ts'
import { startFastify } from './fastify.ts'

/** Without authentication. */
export const bare: Contestant = { start: () => startFastify(async () => undefined) }
export const bareExpress: Contestant = { start: () => startExpress((_request, _response, next) => next()) }
