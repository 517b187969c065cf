import { generateKeyPairSync, sign } from 'node:crypto'

/** A certificate that is signed with its own key, as clients with mTLS may have. */
export interface SelfSigned {
  readonly der: Buffer
  readonly pem: string
  /** The private key in PEM. */
  readonly key: string
}

/** Creates a self-signed X.509 certificate of an Ed25519 key. Node can't, and OpenSSL may not be installed. */
export function createSelfSigned(): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const algorithm = sequence(der(0x06, Buffer.from([0x2b, 0x65, 0x70])))
  const commonName = sequence(der(0x06, Buffer.from([0x55, 0x04, 0x03])), der(0x0c, Buffer.from('client')))
  const name = sequence(der(0x31, commonName))
  const validity = sequence(der(0x17, Buffer.from('250101000000Z')), der(0x17, Buffer.from('490101000000Z')))
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.from([1]))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const content = sequence(version, serial, algorithm, name, validity, name, spki)
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign(null, content, privateKey)]))
  const certificate = sequence(content, algorithm, signature)
  return {
    der: certificate,
    pem: pemOf(certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function sequence(...members: Buffer[]): Buffer {
  return der(0x30, ...members)
}

/** A value in DER: its tag, its length and its content. */
function der(tag: number, ...members: Buffer[]): Buffer {
  const content = Buffer.concat(members)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
