import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import type { WebSocket } from 'ws'
import { build } from '../../../docs/examples/websocket.ts'
import { connect } from '../../../docs/examples/websocket-client.ts'
import { now, type LocalIssuer, type TokenParts } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

async function setUpServer(t: TestContext): Promise<{
  issuer: LocalIssuer
  open: (token: TokenParts) => Promise<WebSocket>
}> {
  const { issuer, app } = await setUp(t, build)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    issuer,
    open: async (parts) => connect(`${origin.replace('http', 'ws')}/live`, await issuer.token(parts)),
  }
}

suite('a token in the subprotocol of a WebSocket', () => {
  test('opens it, and is not what the server chooses', async (t) => {
    const { open } = await setUpServer(t)
    const socket = await open({})
    const [greeting] = (await once(socket, 'message')) as [Buffer]
    t.assert.equal(greeting.toString(), 'hello someone')
    t.assert.equal(socket.protocol, 'shop.v1')
    socket.close()
    await once(socket, 'close')
  })

  test('is refused before it opens', async (t) => {
    const { open } = await setUpServer(t)
    const socket = await open({ claims: { aud: 'another' } })
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    t.assert.equal(response.statusCode, 401)
    socket.on('error', () => {}).terminate()
  })

  test('ends it when it ends itself', async (t) => {
    const { open } = await setUpServer(t)
    const socket = await open({ claims: { exp: now() + 2 } })
    await once(socket, 'message')
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    t.assert.equal(code, 1008)
    t.assert.equal(reason.toString(), 'the token has expired')
  })

  test('leaves it open where the token outlasts every timer', async (t) => {
    const { open } = await setUpServer(t)
    const socket = await open({ claims: { exp: now() + 10 * 365 * 86_400 } })
    await once(socket, 'message')
    const first = Promise.race(['pong', 'close'].map(async (event) => once(socket, event).then(() => event)))
    socket.ping()
    t.assert.equal(await first, 'pong')
    socket.close()
    await once(socket, 'close')
  })
})
