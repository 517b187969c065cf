import { createServer } from 'node:http'

// A server on one address whose queue of new connections is short. The test stops the process, so that nobody accepts them.
const [host, port] = process.argv.slice(2)
createServer((_request, response) => response.end('"slow"')).listen(
  { host, port: Number(port), backlog: 1 },
  () => process.send('listening'),
)
process.on('disconnect', () => process.exit())
