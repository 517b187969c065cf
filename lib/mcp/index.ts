export type { McpAuthInfo } from './auth-info.ts'
export { mcpRoute, type McpRouteOptions, type McpRule } from './mcp-route.ts'
