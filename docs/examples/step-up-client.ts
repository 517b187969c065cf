/** The URL at which the user authenticates again, if the response asks for that. */
export function stepUp(response: Response, authorizationUrl: URL): URL | undefined {
  // #region client
  const challenge = response.headers.get('www-authenticate') ?? ''
  if (!challenge.includes('error="insufficient_user_authentication"')) return undefined
  const url = new URL(authorizationUrl)
  for (const [, name, value] of challenge.matchAll(/\b(acr_values|max_age)="([^"]*)"/g)) {
    url.searchParams.set(name!, value!)
  }
  return url
  // #endregion
}
