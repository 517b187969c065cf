/** What an address answers: its document, or its status where that is none of success. */
export async function get(url: string): Promise<unknown> {
  const response = await fetch(url)
  return response.ok ? response.json() : response.status
}
