import { constants, generateKeyPairSync, sign, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import { createSignatureVerifier } from '../../../lib/jwt/signature.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string

/** Signs other contents until the signature starts with a zero byte, which one of 256 does. */
function signWithLeadingZero(algorithm: 'RS256' | 'PS256'): { content: string; signature: Buffer } {
  const header = Buffer.from(JSON.stringify({ alg: algorithm })).toString('base64url')
  const key = { key: privateKey, ...paddings[algorithm] }
  for (let index = 0; ; index += 1) {
    const content = `${header}.${Buffer.from(`{"index":${index}}`).toString('base64url')}`
    const signature = sign('sha256', Buffer.from(content), key)
    if (signature[0] === 0) return { content, signature }
  }
}

const paddings = {
  RS256: { padding: constants.RSA_PKCS1_PADDING },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
} as const

suite('the length of an RSA signature', () => {
  for (const algorithm of ['RS256', 'PS256'] as const) {
    test(`a ${algorithm} signature without its leading zero, or with another one, is refused`, (t) => {
      const { content, signature } = signWithLeadingZero(algorithm)
      const accepts = createSignatureVerifier(pem, algorithm)
      const withSignature = (bytes: Buffer): boolean => accepts(`${content}.${bytes.toString('base64url')}`)
      t.assert.equal(withSignature(signature), true)
      t.assert.equal(withSignature(signature.subarray(1)), false)
      t.assert.equal(withSignature(Buffer.concat([Buffer.alloc(1), signature])), false)
      t.assert.equal(withSignature(Buffer.alloc(0)), false)
    })
  }

  test('OpenSSL accepts a PS256 signature without its leading zero', (t) => {
    const { content, signature } = signWithLeadingZero('PS256')
    const key = { key: publicKey, ...paddings.PS256 }
    t.assert.equal(verify('sha256', Buffer.from(content), key, signature.subarray(1)), true)
  })

  test('an RSA key whose length is no multiple of eight bits verifies its signatures', (t) => {
    const odd = generateKeyPairSync('rsa', { modulusLength: 2_049 })
    const content = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.e30`
    const signature = sign('sha256', Buffer.from(content), odd.privateKey).toString('base64url')
    const key = odd.publicKey.export({ type: 'spki', format: 'pem' }) as string
    t.assert.equal(createSignatureVerifier(key, 'RS256')(`${content}.${signature}`), true)
  })
})
