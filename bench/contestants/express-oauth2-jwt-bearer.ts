import { auth } from 'express-oauth2-jwt-bearer'
import type { Contestant } from '../contestant.ts'
import { startExpress } from './express.ts'

export const plain: Contestant = {
  start: ({ issuer, audience }) => startExpress(auth({ issuerBaseURL: issuer, audience })),
}
