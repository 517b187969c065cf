import { createCertificate } from './certificate.ts'
import { startChild } from './child.ts'
import { Client } from './client.ts'
import { contestants } from './contestants/index.ts'
import { createKey, Issuer } from './issuer.ts'

// Whether every contestant runs, and accepts and refuses what it should.

const issuer = await Issuer.start(createCertificate())
issuer.keys = [createKey()]
const stranger = createKey()
const [key] = issuer.keys
for (const name of Object.keys(contestants)) {
  const child = await startChild(name, issuer)
  const client = new Client(child.url)
  const answers = [issuer.token(key!), issuer.bogusToken(), issuer.token({ ...stranger, kid: key!.kid })].map(
    async (token) => (await client.call(token)).status,
  )
  console.log(name.padEnd(30), ...(await Promise.all(answers)))
  client.close()
  await child.close()
}
await issuer.goDown()
