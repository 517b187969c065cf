import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
} from 'fastify'
import { name } from './decorators.ts'
import type { ResourceSettings } from './options/resource.ts'

/** Marks the route in its configuration, of whatever registration of the plugin it is. */
const key = Symbol('fastify-jwks-auth metadata')

/** Declares the public route of the metadata (RFC 9728 section 3). */
export function serveResourceMetadata(app: FastifyInstance, { metadata, path }: ResourceSettings): void {
  const url = routeOf(path)
  assertServable(app, path, url)
  const body = JSON.stringify(metadata)
  const route = {
    url,
    // OpenAPI documents leave the route out. @fastify/cors, whose origins may be few, does too.
    schema: { hide: true } as FastifySchema,
    config: { cors: false, [key]: true } as FastifyContextConfig,
  }
  app.route({
    ...route,
    method: 'GET',
    exposeHeadRoute: true,
    handler: async (_request, reply) => {
      reply.header('access-control-allow-origin', '*').header('cache-control', 'public, max-age=3600')
      return reply.type('application/json').send(body)
    },
  })
  app.route({ ...route, method: 'OPTIONS', handler: answerPreflight })
}

/**
 * Whether a request is for the metadata, which needs no token even if the whole scope does. The path is only compared because that is
 * faster than reading the configuration of the route, which decides.
 */
export function isForMetadata(request: FastifyRequest): boolean {
  return request.url.startsWith('/.well-known/') && key in request.routeOptions.config
}

/** MCP clients in browsers send MCP-Protocol-Version, which has to be allowed. */
async function answerPreflight(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const requested = request.headers['access-control-request-headers']
  reply.headers({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-max-age': '3600',
    vary: 'access-control-request-headers',
  })
  if (requested !== undefined) reply.header('access-control-allow-headers', requested)
  return reply.code(204).send()
}

function assertServable(app: FastifyInstance, path: string, url: string | undefined): asserts url is string {
  const serveItYourself = 'serve app.protectedResourceMetadata() yourself and set serveMetadata: false'
  const fail = (why: string): never => {
    throw new Error(`${name}: the metadata of "resource" belongs at ${path}, ${why}`)
  }
  if (app.prefix !== '') {
    fail(
      `but this scope has the prefix ${app.prefix}; register the plugin in a scope without one, or ${serveItYourself}`,
    )
  }
  if (url === undefined) fail(`which Fastify can't route; choose another "resource", or ${serveItYourself}`)
  if (['GET', 'HEAD', 'OPTIONS'].some((method) => app.hasRoute({ method, url: url! }))) {
    fail(
      `where another route exists; remove that route, give each resource a path of its own, or ${serveItYourself}`,
    )
  }
}

/** The path as Fastify's router compares it: decoded, and with two colons for one. Undefined if the router can't compare it. */
function routeOf(path: string): string | undefined {
  try {
    const decoded = decodeURI(path)
    return /[*%]/.test(decoded) ? undefined : decoded.replaceAll(':', '::')
  } catch {
    return undefined
  }
}
