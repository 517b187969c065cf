import { invalidOption } from './assert.ts'

/** The checked options of sender-constrained tokens. */
export interface SenderConstraintSettings {
  /** Undefined: a token that is bound to a DPoP key is refused. */
  readonly dpop: 'unchecked' | undefined
  /** Undefined: a token that is bound to a client certificate is refused. */
  readonly mtls: 'unchecked' | undefined
}

/** @throws {TypeError} */
export function readSenderConstraintOptions({
  dpop,
  mtls,
}: Record<string, unknown>): SenderConstraintSettings {
  return { dpop: readMode('dpop', dpop), mtls: readMode('mtls', mtls) }
}

function readMode(name: string, value: unknown): 'unchecked' | undefined {
  if (value !== undefined && value !== 'unchecked') invalidOption(name, "must be 'unchecked'")
  return value
}
