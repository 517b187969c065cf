import Fastify from 'fastify'
import { createClient } from 'redis'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { redisStore } from '../../../lib/stores/redis.ts'

/** A server in a process, with its keys in Redis. It sends its address to the parent. */
const [issuer, path, jwks] = process.argv.slice(2) as [string, string, string]
const client = createClient({ socket: { path, tls: false, reconnectStrategy: 50 } })
// Without a listener an error ends the process.
client.on('error', () => {})
await Promise.race([client.connect(), new Promise((resolve) => client.once('error', resolve))])

const app = Fastify()
const options: JwksAuthOptions = {
  issuer,
  audience: 'api',
  jwks: {
    store: redisStore(client),
    storeSecret: 's'.repeat(32),
    ...(JSON.parse(jwks) as JwksAuthOptions['jwks']),
  },
}
app.register(jwksAuth, options)
app.get('/', { onRequest: authenticate }, async () => 'accepted')
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))
