/** The token with the first, the middle or the last character of a segment changed. */
export function changedTokens(token: string): string[] {
  const indexes = [...token.matchAll(/[^.]+/g)].flatMap(({ index, 0: segment }) => [
    index,
    index + (segment.length >> 1),
    index + segment.length - 1,
  ])
  return indexes.map((index) => replaceCharacter(token, index, token[index] === 'B' ? 'C' : 'B'))
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * The token with any one of its characters changed. The last character of a segment is replaced by every other character of base64url,
 * because lenient decoders ignore some of its bits.
 */
export function* allChangedTokens(token: string): Generator<string> {
  for (const [index, character] of token.split('').entries()) {
    const isLast = token[index + 1] === '.' || index === token.length - 1
    const others = isLast ? alphabet.split('') : [alphabet[alphabet.indexOf(character) ^ 1]!]
    for (const other of others) if (other !== character) yield replaceCharacter(token, index, other)
  }
}

function replaceCharacter(token: string, index: number, character: string): string {
  return token.slice(0, index) + character + token.slice(index + 1)
}
