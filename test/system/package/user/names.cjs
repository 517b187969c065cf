const { deepEqual, equal } = require('node:assert/strict')

const jwksAuth = require('fastify-jwks-auth')
equal(typeof jwksAuth, 'function')
equal(jwksAuth.default, jwksAuth)
equal(typeof jwksAuth.authorize({ scope: 'a' }), 'function')
equal(new jwksAuth.JwksAuthError({ message: 'no' }) instanceof Error, true)

import('fastify-jwks-auth').then((imported) => {
  equal(imported.default, jwksAuth)
  const named = ['JwksAuthError', 'authenticate', 'authenticateOptional', 'authorize', 'diagnostics']
  deepEqual(Object.keys(imported).toSorted(), [...named, 'default', 'module.exports'].toSorted())
  for (const name of named) equal(imported[name], jwksAuth[name])
})
