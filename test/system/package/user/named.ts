import type { FastifyRequest } from 'fastify'
import type { JwksAuthOptions } from 'fastify-jwks-auth'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    decoratorName: 'auth'
  }
}

// Another plugin has the decorator `user`, such as @fastify/jwt.
declare module 'fastify' {
  interface FastifyRequest {
    user: { cart: string }
  }
}

export const options: JwksAuthOptions = { domain: 'tenant.example', audience: 'api', decoratorName: 'auth' }

export function read(request: FastifyRequest): [string | undefined, string] {
  return [request.auth.sub, request.user.cart]
}
