/** A log line that explains a mistake. It is logged once for each subject. */
export interface Hint {
  readonly subject: string
  readonly level: 'info' | 'warn'
  readonly details: object
  readonly message: string
}

export function warning(subject: string, details: object, message: string): Hint {
  return { subject, level: 'warn', details, message }
}

/** Maximum number of issuers or audiences in a log line. */
export const maxListed = 20
