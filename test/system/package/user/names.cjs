const { deepEqual, equal } = require('node:assert/strict')

const jwksAuth = require('fastify-jwks-auth')
equal(typeof jwksAuth, 'function')
equal(jwksAuth.default, jwksAuth)
equal(new jwksAuth.JwksAuthError({ message: 'no' }) instanceof Error, true)

import('fastify-jwks-auth').then((imported) => {
  equal(imported.default, jwksAuth)
  equal(imported.JwksAuthError, jwksAuth.JwksAuthError)
  deepEqual(Object.keys(imported).toSorted(), ['JwksAuthError', 'default', 'diagnostics', 'module.exports'])
})
