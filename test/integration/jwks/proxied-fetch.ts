import { get } from 'node:http'
import { json } from 'node:stream/consumers'
import { fetchJson } from '../../../lib/fetch/fetch-json.ts'

// A program that fetches a document by Node's own client and by that of the plugin, and prints what each has got.
const url = new URL(process.argv[2]!)

const node = await new Promise((resolve) => {
  get(url, (response) => resolve(json(response))).on('error', () => resolve('failure'))
})
const plugin = await fetchJson(url, {
  signal: AbortSignal.timeout(10_000),
  timeout: 10_000,
  maxResponseSize: 65_536,
  dispatcher: undefined,
}).then(
  ({ document }) => document,
  () => 'failure',
)
console.log(JSON.stringify({ node, plugin }))
process.exit()
