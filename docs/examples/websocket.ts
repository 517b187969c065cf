import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'
import { atExpiry } from './expiry.ts'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(websocket, {
    // The selected protocol is sent back in a header, so never select the one that holds the token.
    options: { handleProtocols: (offered) => offered.has('shop.v1') && 'shop.v1' },
  })
  app.register(jwksAuth, {
    ...issuer,
    getToken: (request) =>
      request.headers['sec-websocket-protocol']
        ?.split(/, */)
        .find((protocol) => protocol.startsWith('bearer.'))
        ?.slice('bearer.'.length),
  })
  app.get('/live', { websocket: true, onRequest: authenticate }, (socket, request) => {
    const callOff = atExpiry(request, () => socket.close(1008, 'the token has expired'))
    socket.on('close', callOff)
    socket.send(`hello ${request.user.sub}`)
  })
  // #endregion
  return app
}
