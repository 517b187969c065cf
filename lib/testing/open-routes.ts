import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** A route of an application. */
export interface TestedRoute {
  /** The HTTP method. */
  readonly method: string
  /** As the route is declared, with the prefixes of its scopes. */
  readonly url: string
  /** The constraints of the route, such as its host or version. */
  readonly constraints: Readonly<Record<string, unknown>> | undefined
}

/** What a request to a route needs if the check can't find it out. */
export interface RouteRequest {
  /** The URL to call, with values for the parameters of the route. */
  url?: string
  /** The headers of the request. */
  headers?: Readonly<Record<string, string>>
}

/** Options of `openRoutes`. */
export interface OpenRoutesOptions {
  /** Returns the URL or headers for a route whose parameters or constraints need certain values, and undefined for other routes. */
  request?: (route: TestedRoute) => RouteRequest | undefined
}

/** The members of a Fastify instance that are used here. */
interface App {
  ready(): PromiseLike<unknown>
  inject(request: object): PromiseLike<{ statusCode: number; stream(): { destroy(): void } }>
  close(): PromiseLike<unknown>
  addHook(name: 'onRoute', hook: (route: DeclaredRoute) => void): unknown
  addHook(name: 'onRequest', hook: (request: Request, reply: unknown, done: () => void) => void): unknown
}

interface DeclaredRoute {
  readonly method: string | readonly string[]
  readonly url: string
  readonly constraints?: Readonly<Record<string, unknown>>
}

interface Request {
  readonly routeOptions: { readonly url?: string }
}

/** A Fastify instance that was made while the application was built. */
interface RouteRecord {
  readonly routes: TestedRoute[]
  /** The URL of the route that the last request came to. */
  reached: string | undefined
}

/** How long a route may take to answer, in milliseconds. */
const timeout = 5_000

/**
 * Builds an application and calls each of its routes without a token. Returns the routes that didn't answer 401, such as `GET /ping`,
 * in alphabetical order. A HEAD route is left out if the GET route of its URL is in the list. The handlers of open routes run.
 *
 * It takes a function, because Fastify tells of routes only while they are declared.
 *
 * @param build - Returns the application. It is closed afterwards.
 * @throws {Error} A route can't be reached. `options.request` can help.
 */
export async function openRoutes(
  build: () => object | PromiseLike<object>,
  options: OpenRoutesOptions = {},
): Promise<string[]> {
  const records = new Map<unknown, RouteRecord>()
  const onCreated = (message: unknown): void => {
    const { fastify } = message as { fastify: App }
    records.set(fastify, recordRoutes(fastify))
  }
  subscribe('fastify.initialization', onCreated)
  let app: App
  try {
    app = (await build()) as App
  } finally {
    unsubscribe('fastify.initialization', onCreated)
  }
  const record = records.get(app)
  if (!record) throw new Error('openRoutes: the function must create the Fastify instance and return it')
  try {
    await app.ready()
    const open: TestedRoute[] = []
    for (const route of record.routes) {
      // One after the other: the record holds the last request.
      // oxlint-disable-next-line no-await-in-loop
      if (await isOpen(app, route, record, options.request?.(route))) open.push(route)
    }
    return labels(open)
  } finally {
    await app.close()
  }
}

/** Adds the first hooks of the instance, so that no route is missed. */
function recordRoutes(app: App): RouteRecord {
  const record: RouteRecord = { routes: [], reached: undefined }
  app.addHook('onRoute', ({ method, url, constraints }) => {
    for (const each of [method].flat()) record.routes.push({ method: each, url, constraints })
  })
  app.addHook('onRequest', (request, _reply, done) => {
    record.reached = request.routeOptions.url
    done()
  })
  return record
}

async function isOpen(
  app: App,
  route: TestedRoute,
  record: RouteRecord,
  request: RouteRequest = {},
): Promise<boolean> {
  const { url = exampleUrl(route.url), headers = constraintHeaders(route) } = request
  record.reached = undefined
  const status = await statusOf(app, { method: route.method, url, headers, payloadAsStream: true })
  if (record.reached !== route.url) {
    throw new Error(
      `openRoutes: ${labelOf(route)} can't be reached at ${url}; return its URL and headers from the option "request"`,
    )
  }
  return status !== 401
}

/** Returns undefined if the route doesn't answer. An answer may be an endless stream, of which only the status is needed. */
async function statusOf(app: App, request: object): Promise<number | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeout, undefined)
  })
  const response = await Promise.race([app.inject(request), late])
  clearTimeout(timer)
  response?.stream().destroy()
  return response?.statusCode
}

/** The parts of a URL that stand for others: an escaped colon, a parameter with an optional pattern, and a wildcard. */
const placeholders = /::|:\w+(?:\((?<pattern>(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\))?\??|\*/g
const examples = ['x', '1', '10', '2000', '2000-01-01', '00000000-0000-4000-8000-000000000000']

/** A URL that Fastify's router takes for this route. */
function exampleUrl(url: string): string {
  return url.replaceAll(placeholders, (placeholder, pattern?: string) => {
    if (placeholder === '::') return ':'
    if (pattern === undefined) return 'x'
    return examples.find((example) => new RegExp(`^(?:${pattern})$`).test(example)) ?? 'x'
  })
}

function constraintHeaders({ constraints = {} }: TestedRoute): Record<string, string> {
  const { host, version } = constraints
  return {
    ...(typeof host === 'string' && { host }),
    ...(typeof version === 'string' && { 'accept-version': version }),
  }
}

/** Sorted. A HEAD route tells no more than the GET route of its URL, which Fastify may declare with and without a last slash. */
function labels(open: readonly TestedRoute[]): string[] {
  const all = new Set(open.map(labelOf))
  const isAlsoGet = ({ url, ...route }: TestedRoute): boolean =>
    ['', '/'].some((slash) =>
      all.has(labelOf({ ...route, method: 'GET', url: url.replace(/\/?$/, slash) || '/' })),
    )
  const listed = open.filter((route) => route.method !== 'HEAD' || !isAlsoGet(route))
  return [...new Set(listed.map(labelOf))].toSorted()
}

function labelOf({ method, url, constraints = {} }: TestedRoute): string {
  const values = JSON.stringify(constraints, (_name, value: unknown) =>
    value instanceof RegExp ? String(value) : value,
  )
  return `${method} ${url}${values === '{}' ? '' : ` ${values}`}`
}
