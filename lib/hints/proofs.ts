import * as messages from '../log.ts'
import { maxListed, warning, type Hint } from './hint.ts'

/** What a refused proof shows of a mistake. */
export interface ProofMistake {
  /** The option that the token needs and that is not set. */
  readonly missingOption?: 'dpop' | 'mtls'
  /** The `htu` of a proof for another URL, and the URLs of the server. */
  readonly otherUrl?: { readonly htu: string; readonly baseUrls: readonly string[] }
  /** How far the `iat` of a proof is ahead of this server's clock, in milliseconds. */
  readonly clockSkew?: number
}

/** Maximum number of characters of an `htu` in a log line. */
const maxShown = 200

/** Explains a proof that was refused. The access token was verified before, so its client can be known. */
export function explainProof({ missingOption, otherUrl, clockSkew }: ProofMistake): Hint | undefined {
  if (missingOption !== undefined) {
    return warning(`proof ${missingOption}`, {}, messages.unconfiguredBinding(missingOption))
  }
  if (clockSkew !== undefined && Number.isFinite(clockSkew)) {
    const seconds = Math.round(clockSkew / 1000)
    return warning('proofClock', { seconds }, messages.proofClock(seconds))
  }
  if (!otherUrl) return undefined
  // The query may be secret, and other characters could mislead the reader of a terminal or a log.
  const shown = otherUrl.htu.replace(/[?#].*$/s, '').slice(0, maxShown)
  const details = {
    baseUrl: otherUrl.baseUrls.slice(0, maxListed),
    htu: /^[\x20-\x7e]*$/.test(shown) ? shown : undefined,
  }
  return warning('proofUrl', details, messages.proofUrl)
}
