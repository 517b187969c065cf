/** Returns the JSON document at a URL, or the HTTP status if the request was not successful. */
export async function get(url: string): Promise<unknown> {
  const response = await fetch(url)
  return response.ok ? response.json() : response.status
}
