import type { FastifyInstance } from 'fastify'
import { authenticate, authorize } from 'fastify-jwks-auth'

export default async function orders(app: FastifyInstance): Promise<void> {
  app.get('/orders', { onRequest: authenticate }, async (request) => request.user.sub)
  app.delete('/orders/:id', { onRequest: authorize({ scope: 'write:orders' }) }, async () => 'deleted')
}
